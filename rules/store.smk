localrules:
    prune_images,
    remove_unneeded,
    verify_results,


rule prune_images:
    log:
        "<logs>/prune_images.log",
    retries: 0
    conda:
        "../envs/store.yaml"
    resources:
        mem_mb=2_000,
        runtime=60,
    params:
        store=STORE,
        options="",
    shell:
        'python "$DIAGEN"/workflow_scripts/prune_images.py --results results --store {params.store} {params.options}'
        " 2>&1 | tee {log}"


use rule prune_images as remove_unneeded with:
    log:
        "<logs>/remove_unneeded.log",
    params:
        store=STORE,
        options="--remove",


rule verify_results:
    log:
        "<logs>/verify_results.log",
    retries: 0
    conda:
        "../envs/store.yaml"
    resources:
        mem_mb=2_000,
        runtime=600,
    params:
        results=f"results/{CONFIG.experiment}",
        store=STORE,
        configfile=[os.path.relpath(file) for file in workflow.configfiles],
    shell:
        'python "$DIAGEN"/workflow_scripts/verify_results.py {params.results} --store {params.store}'
        " --configfile {params.configfile:q} 2>&1 | tee {log}"

localrules:
    download_models,
    preflight,


# For preflight: in the environment, because Snakemake prints failing commands in full.
os.environ.update(DIAGEN_CONFIG=CONFIG.model_dump_json())


rule download_models:
    log:
        "<logs>/download_models.log",
    retries: 0
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=1_000,
        runtime=240,
    params:
        # Without hashes of existing files: only hashes that the user names are compared.
        settings=lambda wildcards: settings("DownloadModels", models=NAMED.models),
        code=code("download_models"),
    shell:
        'python "$DIAGEN"/workflow_scripts/download_models.py --settings {params.settings:q} 2>&1 | tee {log}'


rule preflight:
    log:
        "<logs>/preflight/report.log",
    retries: 0
    conda:
        "../envs/models.yaml"
    threads: EXECUTION.torch_threads
    resources:
        mem_mb=12_000,
        runtime=10,
    params:
        name=lambda wildcards: ", ".join(os.path.relpath(file) for file in workflow.configfiles),
        folder=f"results/{CONFIG.experiment}/logs/preflight",
        gpus=GPU_LIMIT,
        results=f"results/{CONFIG.experiment}",
        store=STORE,
    shell:
        # Snakemake itself lists the jobs that would run; the target `preflight` allows missing files.
        'printf %s "$DIAGEN_CONFIG" > {params.folder}/config.json;'
        ' snakemake --dry-run --quiet rules --nolock --snakefile "$DIAGEN"/Snakefile'
        " --configfile {params.folder}/config.json -- all preflight > {params.folder}/jobs.txt 2>&1 || true;"
        ' python "$DIAGEN"/workflow_scripts/preflight.py {params.folder}/config.json --name {params.name:q}'
        " --jobs {params.folder}/jobs.txt --gpus {params.gpus} --results {params.results} --store {params.store}"
        # Status 2 is a report with problems, which rules/finish.smk prints.
        " > {log} || [ $? -eq 2 ]"

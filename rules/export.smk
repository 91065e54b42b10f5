include: "functions/export.smk"


rule export_cell:
    input:
        unpack(synthetic_images),
        shots=f"{CELL}/shots.csv",
    output:
        metadata="<results>/export/{dataset}/seed{seed}/shots{shots}/{method}/metadata.csv",
        card="<results>/export/{dataset}/seed{seed}/shots{shots}/{method}/README.md",
    log:
        "<logs>/export_cell/{dataset}/seed{seed}/shots{shots}/{method}.log",
    benchmark:
        "<benchmarks>/export_cell/{dataset}/seed{seed}/shots{shots}/{method}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(30),
    params:
        settings=export_settings,
        code=code("export_dataset"),
        store=STORE,
        weights=lambda wildcards, input: f"--weights {input.weights}" if "weights" in input.keys() else "",
    shell:
        'python "$DIAGEN"/workflow_scripts/export_dataset.py {input.shots} --manifest {input.manifest} {params.weights}'
        " --settings {params.settings:q} --dataset {wildcards.dataset} --seed {wildcards.seed}"
        " --shots {wildcards.shots} --store {params.store}"
        " --output {output.metadata} 2>&1 | tee {log}"


rule export_dataset:
    input:
        cells("<results>/export/{dataset}/seed{seed}/shots{shots}/{method}/metadata.csv", method=WITH_IMAGES),

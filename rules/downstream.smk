rule train_downstream:
    input:
        unpack(synthetic_images),
        shots=f"{CELL}/shots.csv",
    output:
        metrics=f"{CELL}/downstream/{{method}}/metrics.json",
        history=f"{CELL}/downstream/{{method}}/history.csv",
        predictions=f"{CELL}/downstream/{{method}}/predictions.csv",
        head=f"{CELL}/downstream/{{method}}/head.safetensors",
        made_with=f"{CELL}/downstream/{{method}}/metrics.made_with.json",
    log:
        "<logs>/train_downstream/{dataset}/seed{seed}/shots{shots}/{method}.log",
    benchmark:
        "<benchmarks>/train_downstream/{dataset}/seed{seed}/shots{shots}/{method}.jsonl"
    wildcard_constraints:
        method="|".join(CONFIG.methods),  # not those of fit_baselines
    conda:
        "../envs/vision.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("train_downstream"),
        runtime=minutes("train_downstream"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=lambda wildcards: settings(
            "TrainDownstream",
            method=wildcards.method,
            downstream=CONFIG.recipe_of(wildcards.method),
            backbone=CONFIG.models.backbone,
            synthetic_probability=CONFIG.methods[wildcards.method].synthetic_probability or 0.0,
        ),
        code=code("train_downstream"),
        store=STORE,
        synthetic=lambda wildcards, input: " ".join(
            f"--{name} {input[name]}" for name in ("manifest", "weights") if name in input.keys()
        ),
        folder=subpath(output.metrics, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/train_downstream.py {input.shots} {params.synthetic}'
        " --settings {params.settings:q} --dataset {wildcards.dataset} --seed {wildcards.seed}"
        " --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --jobs-per-gpu {resources.jobs_per_gpu} --output {params.folder} 2>&1 | tee {log}"


rule fit_baselines:
    input:
        f"{CELL}/shots.csv",
    output:
        [
            f"{CELL}/downstream/{name}/{file}"
            for name in REAL_BASELINES
            for file in ("metrics.json", "predictions.csv", "metrics.made_with.json")
        ],
    log:
        "<logs>/fit_baselines/{dataset}/seed{seed}/shots{shots}.log",
    benchmark:
        "<benchmarks>/fit_baselines/{dataset}/seed{seed}/shots{shots}.jsonl"
    conda:
        "../envs/vision.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("fit_baselines"),
        runtime=minutes("fit_baselines"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=settings("FitBaselines", backbone=CONFIG.models.backbone, image_size=CONFIG.downstream.image_size),
        code=code("fit_baselines"),
        store=STORE,
        folder=subpath(output[0], ancestor=2),
    shell:
        'python "$DIAGEN"/workflow_scripts/fit_baselines.py {input} --settings {params.settings:q}'
        " --dataset {wildcards.dataset} --seed {wildcards.seed} --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --jobs-per-gpu {resources.jobs_per_gpu} --output {params.folder} 2>&1 | tee {log}"

rule train_guide_classifier:
    input:
        f"{CELL}/shots.csv",
    output:
        head=f"{CELL}/guide_classifiers/{{guide_classifier}}/head.safetensors",
        calibration=f"{CELL}/guide_classifiers/{{guide_classifier}}/calibration.json",
        history=f"{CELL}/guide_classifiers/{{guide_classifier}}/history.csv",
        made_with=f"{CELL}/guide_classifiers/{{guide_classifier}}/head.made_with.json",
    log:
        "<logs>/train_guide_classifier/{dataset}/seed{seed}/shots{shots}/{guide_classifier}.log",
    benchmark:
        "<benchmarks>/train_guide_classifier/{dataset}/seed{seed}/shots{shots}/{guide_classifier}.jsonl"
    # Others wait for it: what nothing waits for then fills the cores or GPUs at the end of a run.
    priority: 1
    conda:
        "../envs/vision.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("train_guide_classifier"),
        runtime=minutes("train_guide_classifier"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=lambda wildcards: settings(
            "TrainGuideClassifier",
            guide_classifier=CONFIG.guide_classifiers[wildcards.guide_classifier],
            backbone=CONFIG.models.backbone,
            image_size=CONFIG.downstream.image_size,
        ),
        code=code("train_guide_classifier"),
        store=STORE,
        folder=subpath(output.head, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/train_guide_classifier.py {input} --settings {params.settings:q}'
        " --dataset {wildcards.dataset} --seed {wildcards.seed} --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --jobs-per-gpu {resources.jobs_per_gpu} --output {params.folder} 2>&1 | tee {log}"


rule score_images:
    input:
        manifest=f"{CELL}/synthetic/{{generator}}/manifest.csv",
        head=lambda wildcards: f"{CELL}/guide_classifiers/{CONFIG.weightings[wildcards.weighting].guide_classifier}/head.safetensors",
        calibration=lambda wildcards: f"{CELL}/guide_classifiers/{CONFIG.weightings[wildcards.weighting].guide_classifier}/calibration.json",
    output:
        weights=f"{CELL}/synthetic/{{generator}}/weights/{{weighting}}.csv",
        made_with=f"{CELL}/synthetic/{{generator}}/weights/{{weighting}}.made_with.json",
    log:
        "<logs>/score_images/{dataset}/seed{seed}/shots{shots}/{generator}-{weighting}.log",
    benchmark:
        "<benchmarks>/score_images/{dataset}/seed{seed}/shots{shots}/{generator}-{weighting}.jsonl"
    conda:
        "../envs/vision.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("score_images"),
        runtime=minutes("score_images"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=lambda wildcards: settings(
            "ScoreImages",
            **CONFIG.weightings[wildcards.weighting].model_dump(exclude={"guide_classifier"}),
            backbone=CONFIG.models.backbone,
            image_size=CONFIG.downstream.image_size,
        ),
        code=code("score_images"),
        store=STORE,
        guide_classifier=subpath(input.head, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/score_images.py {input.manifest} {params.guide_classifier}'
        " --settings {params.settings:q} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --jobs-per-gpu {resources.jobs_per_gpu} --output {output.weights} 2>&1 | tee {log}"

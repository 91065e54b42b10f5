rule find_noise_ceilings:
    input:
        shots=f"{CELL}/shots.csv",
        words=lambda wildcards: (
            f"{CELL}/embeddings/{CONFIG.noise_ceilings[wildcards.noise_ceiling].embedding}.safetensors"
        ),
        head=lambda wildcards: f"{CELL}/guide_classifiers/{CONFIG.noise_ceilings[wildcards.noise_ceiling].guide_classifier}/head.safetensors",
        calibration=lambda wildcards: (
            f"{CELL}/guide_classifiers/{CONFIG.noise_ceilings[wildcards.noise_ceiling].guide_classifier}/calibration.json"
        ),
    output:
        ceilings=f"{CELL}/noise_ceilings/{{noise_ceiling}}.csv",
        made_with=f"{CELL}/noise_ceilings/{{noise_ceiling}}.made_with.json",
    log:
        "<logs>/find_noise_ceilings/{dataset}/seed{seed}/shots{shots}/{noise_ceiling}.log",
    benchmark:
        "<benchmarks>/find_noise_ceilings/{dataset}/seed{seed}/shots{shots}/{noise_ceiling}.jsonl"
    conda:
        "../envs/diffusion.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=WHOLE_GPU,
        mem_mb=megabytes("find_noise_ceilings"),
        runtime=minutes("find_noise_ceilings"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
    params:
        settings=lambda wildcards: settings(
            "FindNoiseCeilings",
            **fields(CONFIG.noise_ceilings[wildcards.noise_ceiling], "FindNoiseCeilings"),
            generation=programs.GenerateImagesSettings(
                **fields(CONFIG.noise_ceilings[wildcards.noise_ceiling], "GenerateImages"),
                diffusion=CONFIG.models.diffusion,
            ),
            backbone=CONFIG.models.backbone,
            image_size=CONFIG.downstream.image_size,
        ),
        code=code("find_noise_ceilings"),
        store=STORE,
        guide_classifier=subpath(input.head, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/find_noise_ceilings.py {input.shots} {input.words} {params.guide_classifier}'
        " --settings {params.settings:q} --dataset {wildcards.dataset} --seed {wildcards.seed}"
        " --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --output {output.ceilings} 2>&1 | tee {log}"

rule find_noise_ceilings:
    input:
        shots=f"{CELL}/shots.csv",
        words=lambda wildcards: (
            f"{CELL}/embeddings/{CONFIG.noise_ceilings[wildcards.noise_ceiling].embedding}.safetensors"
        ),
        head=lambda wildcards: f"{CELL}/guide/{CONFIG.noise_ceilings[wildcards.noise_ceiling].guide}/head.safetensors",
        calibration=lambda wildcards: (
            f"{CELL}/guide/{CONFIG.noise_ceilings[wildcards.noise_ceiling].guide}/calibration.json"
        ),
    output:
        f"{CELL}/noise_ceilings/{{noise_ceiling}}.csv",
    log:
        "<logs>/find_noise_ceilings/{dataset}/seed{seed}/shots{shots}/{noise_ceiling}.log",
    benchmark:
        "<benchmarks>/find_noise_ceilings/{dataset}/seed{seed}/shots{shots}/{noise_ceiling}.jsonl"
    conda:
        "../envs/diffusion.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("find_noise_ceilings"),
        runtime=minutes("find_noise_ceilings"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
    params:
        settings=lambda wildcards: settings(
            "FindNoiseCeilings",
            dataset=wildcards.dataset,
            levels=CONFIG.noise_ceilings[wildcards.noise_ceiling].levels,
            images_per_level=CONFIG.noise_ceilings[wildcards.noise_ceiling].images_per_level,
            keep=CONFIG.noise_ceilings[wildcards.noise_ceiling].keep,
            generation=programs.GenerateImagesSettings(
                strength=CONFIG.noise_ceilings[wildcards.noise_ceiling].strength,
                guidance_scale=CONFIG.noise_ceilings[wildcards.noise_ceiling].guidance_scale,
                inference_steps=CONFIG.noise_ceilings[wildcards.noise_ceiling].inference_steps,
                diffusion=CONFIG.models.diffusion,
            ),
            backbone=CONFIG.models.backbone,
            image_size=CONFIG.downstream.image_size,
        ),
        code=code("find_noise_ceilings"),
        store=STORE,
        guide=subpath(input.head, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/find_noise_ceilings.py {input.shots} {input.words} {params.guide}'
        " --settings {params.settings:q} --seed {wildcards.seed} --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --output {output} 2>&1 | tee {log}"

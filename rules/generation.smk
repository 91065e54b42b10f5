rule plan_generation:
    input:
        shots=f"{CELL}/shots.csv",
        prompts=planned_prompts,
    output:
        f"{CELL}/synthetic/{{generator}}/plan.csv",
    log:
        "<logs>/plan_generation/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/plan_generation/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1_000,
        runtime=5,
    params:
        settings=lambda wildcards: settings(
            "PlanGeneration",
            dataset=wildcards.dataset,
            images_per_guide=CONFIG.generators[wildcards.generator].images_per_guide,
            noise_levels=CONFIG.generators[wildcards.generator].noise_levels,
        ),
        code=code("plan_generation"),
        prompts=lambda wildcards, input: f"--prompts {input.prompts}" if input.prompts else "",
    shell:
        'python "$DIAGEN"/workflow_scripts/plan_generation.py {input.shots} {params.prompts}'
        " --settings {params.settings:q} --seed {wildcards.seed} --shots {wildcards.shots} --output {output} 2>&1 | tee {log}"


rule generate_images:
    input:
        plan=f"{CELL}/synthetic/{{generator}}/plan.csv",
        words=lambda wildcards: f"{CELL}/embeddings/{CONFIG.generators[wildcards.generator].embedding}.safetensors",
    output:
        f"{CELL}/synthetic/{{generator}}/manifest.csv",
    log:
        "<logs>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/diffusion.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=16_000,
        runtime=lambda wildcards, attempt: 1_200 * attempt,
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=micro_batch,
        shards=EXECUTION.shards,
    params:
        settings=lambda wildcards: settings(
            "GenerateImages",
            strength=CONFIG.generators[wildcards.generator].strength,
            guidance_scale=CONFIG.generators[wildcards.generator].guidance_scale,
            inference_steps=CONFIG.generators[wildcards.generator].inference_steps,
            diffusion=CONFIG.models.diffusion,
        ),
        code=code("generate_images"),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/generate_images.py {input.plan} {input.words} --settings {params.settings:q}'
        " --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --shards {resources.shards} --output {output} 2>&1 | tee {log}"

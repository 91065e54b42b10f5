rule plan_generation:
    input:
        shots=f"{CELL}/shots.csv",
        prompts=planned_prompts,
        ceilings=noise_ceilings,
    output:
        f"{CELL}/synthetic/{{generator}}/plan.csv",
    log:
        "<logs>/plan_generation/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/plan_generation/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=grown(1_000),
        runtime=grown(10),
    params:
        settings=lambda wildcards: settings(
            "PlanGeneration",
            dataset=wildcards.dataset,
            images_per_guide=CONFIG.generators[wildcards.generator].images_per_guide,
            noise_levels=CONFIG.generators[wildcards.generator].noise_levels,
            learned_words=CONFIG.generators[wildcards.generator].embedding is not None,
            noise_draw=CONFIG.generators[wildcards.generator].noise_draw,
            turns=CONFIG.generators[wildcards.generator].turns,
            word_match=CONFIG.generators[wildcards.generator].word_match,
            ceiling_use=CONFIG.generators[wildcards.generator].ceiling_use,
        ),
        code=code("plan_generation"),
        tables=lambda wildcards, input: " ".join(
            f"--{name} {input[name]}" for name in ("prompts", "ceilings") if input[name]
        ),
    shell:
        'python "$DIAGEN"/workflow_scripts/plan_generation.py {input.shots} {params.tables}'
        " --settings {params.settings:q} --seed {wildcards.seed} --shots {wildcards.shots} --output {output} 2>&1 | tee {log}"


rule generate_images:
    input:
        plan=f"{CELL}/synthetic/{{generator}}/plan.csv",
        words=learned_words,
    output:
        f"{CELL}/synthetic/{{generator}}/manifest.csv",
    log:
        "<logs>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/diffusion.yaml"
    threads: SHARDED_THREADS
    resources:
        gpu=SHARDED_GPUS,
        mem_mb=megabytes("generate_images"),
        runtime=minutes("generate_images"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        shards=EXECUTION.shards,
    params:
        settings=lambda wildcards: settings(
            "GenerateImages",
            strength=CONFIG.generators[wildcards.generator].strength,
            guidance_scale=CONFIG.generators[wildcards.generator].guidance_scale,
            inference_steps=CONFIG.generators[wildcards.generator].inference_steps,
            negative_prompt=CONFIG.generators[wildcards.generator].negative_prompt,
            resize_to_guide=CONFIG.generators[wildcards.generator].resize_to_guide,
            diffusion=CONFIG.models.diffusion,
        ),
        code=code("generate_images"),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/generate_images.py {input.plan} {input.words} --settings {params.settings:q}'
        " --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --shards {resources.shards} --output {output} 2>&1 | tee {log}"

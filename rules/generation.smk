include: "functions/generation.smk"


# The noise ladder shows the noise of one generator on a word of the first seed's largest cell.
LADDER = CONFIG.generators.get(CONFIG.ladder_generator() or "")
LADDER_SEED, LADDER_SHOTS = CONFIG.cell_seeds[0], max(CONFIG.shot_counts)
LADDER_CELL = f"seed{LADDER_SEED}/shots{LADDER_SHOTS}"


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
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=lambda wildcards: settings(
            "PlanGeneration",
            **fields(CONFIG.generators[wildcards.generator], "PlanGeneration"),
            learned_words=CONFIG.generators[wildcards.generator].embedding is not None,
        ),
        code=code("plan_generation"),
        tables=lambda wildcards, input: " ".join(
            f"--{name} {input[name]}" for name in ("prompts", "ceilings") if input[name]
        ),
    shell:
        'python "$DIAGEN"/workflow_scripts/plan_generation.py {input.shots} {params.tables}'
        " --settings {params.settings:q} --dataset {wildcards.dataset} --seed {wildcards.seed}"
        " --shots {wildcards.shots} --output {output} 2>&1 | tee {log}"


rule generate_images:
    input:
        plan=f"{CELL}/synthetic/{{generator}}/plan.csv",
        words=learned_words,
    output:
        manifest=f"{CELL}/synthetic/{{generator}}/manifest.csv",
        made_with=f"{CELL}/synthetic/{{generator}}/manifest.made_with.json",
    log:
        "<logs>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/generate_images/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    # Others wait for it: what nothing waits for then fills the cores or GPUs at the end of a run.
    priority: 1
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
        compile="yes" if EXECUTION.compile else "no",
    params:
        settings=lambda wildcards: settings(
            "GenerateImages",
            **fields(CONFIG.generators[wildcards.generator], "GenerateImages"),
            diffusion=CONFIG.models.diffusion,
        ),
        code=code("generate_images"),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/generate_images.py {input.plan} {input.words} --settings {params.settings:q}'
        " --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --shards {resources.shards} --compile {resources.compile} --output {output.manifest} 2>&1 | tee {log}"


rule draw_noise_ladder:
    input:
        shots=f"<results>/{{dataset}}/{LADDER_CELL}/shots.csv",
        words=lambda wildcards: f"<results>/{wildcards.dataset}/{LADDER_CELL}/embeddings/{LADDER.embedding}.safetensors",
    output:
        manifest="<results>/{dataset}/noise_ladder.csv",
        made_with="<results>/{dataset}/noise_ladder.made_with.json",
    log:
        "<logs>/draw_noise_ladder/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_noise_ladder/{dataset}.jsonl"
    conda:
        "../envs/diffusion.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=WHOLE_GPU,
        mem_mb=megabytes("draw_noise_ladder"),
        runtime=minutes("draw_noise_ladder"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
    params:
        settings=lambda wildcards: settings(
            "DrawNoiseLadder",
            levels=CONFIG.ladder_levels(),
            generation=programs.GenerateImagesSettings(
                **fields(LADDER, "GenerateImages"), diffusion=CONFIG.models.diffusion
            ),
        ),
        code=code("draw_noise_ladder"),
        store=STORE,
        cell=f"--seed {LADDER_SEED} --shots {LADDER_SHOTS}",
    shell:
        'python "$DIAGEN"/workflow_scripts/draw_noise_ladder.py {input.shots} {input.words}'
        " --settings {params.settings:q} --dataset {wildcards.dataset} {params.cell} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --output {output.manifest} 2>&1 | tee {log}"

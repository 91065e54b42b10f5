include: "functions/generation.smk"


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

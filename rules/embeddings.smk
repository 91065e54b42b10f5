rule learn_embeddings:
    input:
        f"{CELL}/shots.csv",
    output:
        words=f"{CELL}/embeddings/{{embedding}}.safetensors",
        made_with=f"{CELL}/embeddings/{{embedding}}.made_with.json",
    log:
        "<logs>/learn_embeddings/{dataset}/seed{seed}/shots{shots}/{embedding}.log",
    benchmark:
        "<benchmarks>/learn_embeddings/{dataset}/seed{seed}/shots{shots}/{embedding}.jsonl"
    # Others wait for it: what nothing waits for then fills the cores or GPUs at the end of a run.
    priority: 2
    conda:
        "../envs/diffusion.yaml"
    threads: SHARDED_THREADS
    resources:
        gpu=SHARDED_GPUS,
        mem_mb=megabytes("learn_embeddings"),
        runtime=minutes("learn_embeddings"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        words_together=EXECUTION.words_together,
        shards=EXECUTION.shards,
    params:
        settings=lambda wildcards: settings(
            "LearnEmbeddings",
            embedding=CONFIG.embeddings[wildcards.embedding],
            diffusion=CONFIG.models.diffusion,
        ),
        code=code("learn_embeddings"),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/learn_embeddings.py {input} --settings {params.settings:q}'
        " --dataset {wildcards.dataset} --seed {wildcards.seed} --shots {wildcards.shots} --store {params.store}"
        " --device {resources.device} --torch-threads {resources.torch_threads} --micro-batch {resources.micro_batch}"
        " --words-together {resources.words_together} --shards {resources.shards} --output {output.words} 2>&1 | tee {log}"

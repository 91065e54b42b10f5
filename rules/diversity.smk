include: "functions/diversity.smk"


rule extract_features:
    input:
        f"{CELL}/synthetic/{{generator}}/manifest.csv",
    output:
        features=f"{CELL}/synthetic/{{generator}}/features.npy",
        made_with=f"{CELL}/synthetic/{{generator}}/features.made_with.json",
    log:
        "<logs>/extract_features/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/extract_features/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/vision.yaml"
    threads: EXECUTION.torch_threads
    resources:
        gpu=GPU,
        mem_mb=megabytes("extract_features"),
        runtime=minutes("extract_features"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=lambda wildcards: settings("ExtractFeatures", features=CONFIG.models.features),
        code=code("extract_features"),
        root=lambda wildcards: STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/extract_features.py {input} --root {params.root}'
        " --settings {params.settings:q} --device {resources.device} --torch-threads {resources.torch_threads}"
        " --micro-batch {resources.micro_batch} --jobs-per-gpu {resources.jobs_per_gpu} --output {output.features} 2>&1 | tee {log}"


use rule extract_features as extract_real_features with:
    input:
        "<results>/{dataset}/images.csv",
    output:
        features="<results>/{dataset}/features.npy",
        made_with="<results>/{dataset}/features.made_with.json",
    log:
        "<logs>/extract_features/{dataset}/real.log",
    benchmark:
        "<benchmarks>/extract_features/{dataset}/real.jsonl"
    resources:
        gpu=GPU,
        mem_mb=megabytes("extract_real_features"),
        runtime=minutes("extract_real_features"),
        device=EXECUTION.device,
        torch_threads=EXECUTION.torch_threads,
        micro_batch=EXECUTION.micro_batch,
        jobs_per_gpu=EXECUTION.jobs_per_gpu,
    params:
        settings=lambda wildcards: settings("ExtractFeatures", features=CONFIG.models.features),
        code=code("extract_features"),
        root=lambda wildcards: ".",


rule measure_diversity:
    input:
        images="<results>/{dataset}/images.csv",
        real="<results>/{dataset}/features.npy",
        shots=f"{CELL}/shots.csv",
        manifest=f"{CELL}/synthetic/{{generator}}/manifest.csv",
        synthetic=f"{CELL}/synthetic/{{generator}}/features.npy",
    output:
        diversity=f"{CELL}/diversity/{{generator}}.json",
        made_with=f"{CELL}/diversity/{{generator}}.made_with.json",
    log:
        "<logs>/measure_diversity/{dataset}/seed{seed}/shots{shots}/{generator}.log",
    benchmark:
        "<benchmarks>/measure_diversity/{dataset}/seed{seed}/shots{shots}/{generator}.jsonl"
    conda:
        "../envs/metrics.yaml"
    resources:
        # Features of 100,000 images take 0.4 GB; the neighbor search works in blocks.
        mem_mb=scaled_by_attempt(4_000),
        runtime=scaled_by_attempt(30),
    params:
        settings=lambda wildcards: settings(
            "MeasureDiversity",
            k=CONFIG.diversity.k,
            real_splits=CONFIG.diversity.real_splits,
            subsample=CONFIG.diversity.subsample,
            equal_size=equal_size(),
            seed=int(wildcards.seed),
        ),
        code=code("measure_diversity"),
        weights=lambda wildcards, input: f"--weights {input.weights}" if "weights" in input.keys() else "",
    shell:
        'python "$DIAGEN"/workflow_scripts/measure_diversity.py {input.images} {input.real}'
        " {input.shots} {input.manifest} {input.synthetic} {params.weights} --settings {params.settings:q}"
        " --output {output.diversity} 2>&1 | tee {log}"


use rule measure_diversity as measure_weighted_diversity with:
    input:
        images="<results>/{dataset}/images.csv",
        real="<results>/{dataset}/features.npy",
        shots=f"{CELL}/shots.csv",
        manifest=f"{CELL}/synthetic/{{generator}}/manifest.csv",
        synthetic=f"{CELL}/synthetic/{{generator}}/features.npy",
        weights=f"{CELL}/synthetic/{{generator}}/weights/{{weighting}}.csv",
    output:
        diversity=f"{CELL}/diversity/{{generator}}/{{weighting}}.json",
        made_with=f"{CELL}/diversity/{{generator}}/{{weighting}}.made_with.json",
    log:
        "<logs>/measure_diversity/{dataset}/seed{seed}/shots{shots}/{generator}-{weighting}.log",
    benchmark:
        "<benchmarks>/measure_diversity/{dataset}/seed{seed}/shots{shots}/{generator}-{weighting}.jsonl"


rule measure_ceiling:
    input:
        images="<results>/{dataset}/images.csv",
        features="<results>/{dataset}/features.npy",
    output:
        ceiling="<results>/{dataset}/ceiling.json",
        made_with="<results>/{dataset}/ceiling.made_with.json",
    log:
        "<logs>/measure_ceiling/{dataset}.log",
    benchmark:
        "<benchmarks>/measure_ceiling/{dataset}.jsonl"
    conda:
        "../envs/metrics.yaml"
    resources:
        # Features of 100,000 images take 0.4 GB; sets of equal size are small.
        mem_mb=scaled_by_attempt(2_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=lambda wildcards: settings(
            "MeasureCeiling",
            k=CONFIG.diversity.k,
            real_splits=CONFIG.diversity.real_splits,
            subsample=CONFIG.diversity.subsample,
            equal_size=equal_size(),
        ),
        code=code("measure_ceiling"),
    shell:
        'python "$DIAGEN"/workflow_scripts/measure_ceiling.py {input.images} {input.features}'
        " --settings {params.settings:q} --output {output.ceiling} 2>&1 | tee {log}"

# Worlds are drawn into the folder that their block names: one rule for each, since folders aren't wildcards.
for name, world in CONFIG.datasets.items():
    if isinstance(world, DrawnWorld):

        rule:
            name:
                f"draw_world_{name}"
            output:
                f"{world.root}/scenes.csv",
            log:
                f"<logs>/draw_world/{name}.log",
            benchmark:
                f"<benchmarks>/draw_world/{name}.jsonl"
            conda:
                "../envs/data.yaml"
            resources:
                mem_mb=1_000,
                runtime=10,
            params:
                root=subpath(output[0], parent=True),
                classes=",".join(world.classes).replace("_", " "),
                numbers=(
                    f"--seed {world.seed} --train-val {world.train_val_per_class} --test {world.test_per_class}"
                    f" --test-uncommon {world.test_uncommon_per_class}"
                ),
                code=fingerprint(
                    Path(workflow.basedir) / "demo/draw_dataset.py",
                    (Path(workflow.basedir), Path(workflow.basedir) / "workflow_scripts"),
                ),
            shell:
                'python "$DIAGEN"/demo/draw_dataset.py --output {params.root:q}'
                " --classes {params.classes:q} {params.numbers} 2>&1 | tee {log}"


rule index_dataset:
    input:
        lambda wildcards: drawn_scenes(wildcards.dataset),
    output:
        "<results>/{dataset}/images.csv",
    log:
        "<logs>/index_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/index_dataset/{dataset}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1_000,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        settings=lambda wildcards: settings("IndexDataset", dataset=CONFIG.datasets[wildcards.dataset]),
        code=code("index_dataset"),
    shell:
        'python "$DIAGEN"/workflow_scripts/index_dataset.py --settings {params.settings:q}'
        " --output {output} 2>&1 | tee {log}"


rule draw_shots:
    input:
        "<results>/{dataset}/images.csv",
    output:
        f"{CELL}/shots.csv",
    log:
        "<logs>/draw_shots/{dataset}/seed{seed}/shots{shots}.log",
    benchmark:
        "<benchmarks>/draw_shots/{dataset}/seed{seed}/shots{shots}.jsonl"
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=1_000,
        runtime=5,
    params:
        settings=lambda wildcards: settings("DrawShots", dataset=wildcards.dataset, guide_pool=CONFIG.guide_pool),
        code=code("draw_shots"),
    shell:
        'python "$DIAGEN"/workflow_scripts/draw_shots.py {input} --settings {params.settings:q}'
        " --seed {wildcards.seed} --shots {wildcards.shots} --output {output} 2>&1 | tee {log}"

include: "functions/data.smk"


from itertools import product

from diagen.config import Coco, ImageFolder
from diagen.data.adapters.registry import adapter_file

# One rule per world: each has its own output folder, which cannot be a wildcard.
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
                mem_mb=scaled_by_attempt(1_000),
                runtime=scaled_by_attempt(10),
            params:
                root=subpath(output[0], parent=True),
                classes=lambda wildcards, world=world: ",".join(world.classes).replace("_", " "),
                numbers=(
                    f"--seed {world.seed} --train-val {world.train_val_per_class} --test {world.test_per_class}"
                    f" --test-uncommon {world.test_uncommon_per_class}"
                ),
                code=fingerprint(
                    Path(workflow.basedir) / "demo/world/draw_dataset.py", roots=(Path(workflow.basedir), SCRIPTS)
                ),
            shell:
                'python "$DIAGEN"/demo/world/draw_dataset.py --output={params.root:q}'
                " --classes={params.classes:q} {params.numbers} 2>&1 | tee {log}"


rule index_dataset:
    input:
        lambda wildcards: index_inputs(wildcards.dataset),
    output:
        images="<results>/{dataset}/images.csv",
        skipped="<results>/{dataset}/skipped.csv",
    log:
        "<logs>/index_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/index_dataset/{dataset}.jsonl"
    # Report bad input of all datasets before anything else is computed, and without retries.
    priority: 1
    retries: 0
    conda:
        "../envs/data.yaml"
    resources:
        # The annotations of COCO's train2017 as Python objects take 3 GB.
        mem_mb=lambda wildcards, attempt: (5_000 if isinstance(CONFIG.datasets[wildcards.dataset], Coco) else 1_000)
        * attempt,
        # Reads all photos: up to 100,000 on a slow disk.
        runtime=scaled_by_attempt(60),
        # Only for a check: they do not change the index.
        shots=CONFIG.required_shots,
        folds=CONFIG.folds,
        validation="yes" if CONFIG.needs_validation else "no",
    params:
        settings=lambda wildcards: settings("IndexDataset", dataset=CONFIG.datasets[wildcards.dataset]),
        code=lambda wildcards: code("index_dataset", adapter_file(CONFIG.datasets[wildcards.dataset].adapter)),
    shell:
        'python "$DIAGEN"/workflow_scripts/index_dataset.py --settings {params.settings:q} --shots {resources.shots}'
        " --folds {resources.folds} --validation {resources.validation}"
        " --output {output.images} --skipped {output.skipped} 2>&1 | tee {log}"


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
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=settings(
            "DrawShots",
            guide_pool=CONFIG.guide_pool,
            folds=CONFIG.folds,
            validation=CONFIG.needs_validation,
            all_shots=CONFIG.takes_all_shots,
        ),
        code=code("draw_shots"),
    shell:
        'python "$DIAGEN"/workflow_scripts/draw_shots.py {input} --settings {params.settings:q}'
        " --dataset {wildcards.dataset} --seed {wildcards.seed} --shots {wildcards.shots}"
        " --output {output} 2>&1 | tee {log}"


rule audit_leakage:
    input:
        images="<results>/{dataset}/images.csv",
        features="<results>/{dataset}/features.npy",
        shots=expand(f"{CELL}/shots.csv", seed=CONFIG.cell_seeds, shots=CONFIG.shot_counts, allow_missing=True),
    output:
        "<results>/{dataset}/leakage.json",
    log:
        "<logs>/audit_leakage/{dataset}.log",
    benchmark:
        "<benchmarks>/audit_leakage/{dataset}.jsonl"
    conda:
        "../envs/metrics.yaml"
    resources:
        # The features of 100,000 images take 0.4 GB, and their copies of a cell as much.
        mem_mb=scaled_by_attempt(4_000),
        runtime=scaled_by_attempt(30),
    params:
        settings=settings("AuditLeakage", near_distance=CONFIG.leakage.near_distance),
        cells=lambda wildcards, input: " ".join(
            f"--cell {seed} {shots} {table}"
            for (seed, shots), table in zip(product(CONFIG.cell_seeds, CONFIG.shot_counts), input.shots, strict=True)
        ),
        code=code("audit_leakage"),
    shell:
        'python "$DIAGEN"/workflow_scripts/audit_leakage.py {input.images} {input.features} {params.cells}'
        " --settings {params.settings:q} --output {output} 2>&1 | tee {log}"

include: "functions/report.smk"


from itertools import product

from diagen.files.made_with import record_files

# Blocks that no method uses are not computed.
USED = CONFIG.used_blocks()
# Synthetic sets with the weights by which a method draws from them.
WEIGHTED = [f"{generator}/{weighting}" for generator, weighting in CONFIG.weighted_sets()]
CALIBRATED = sorted({CONFIG.weightings[name].guide_classifier for name in USED["weightings"]})
# The gallery compares DA-Fusion and DIAGen; without methods of these names, it shows all methods.
IN_GALLERY = [name for name in WITH_IMAGES if name in ("da_fusion", "diagen")] or WITH_IMAGES


rule summarize:
    input:
        tests_exist,
        cells(f"{CELL}/downstream/{{method}}/metrics.json", method=CONFIG.methods),
        cells(f"{CELL}/diversity/{{generator}}.json", generator=USED["generators"]),
        [file for name in WEIGHTED for file in cells(f"{CELL}/diversity/{name}.json")],
        expand("<results>/{dataset}/prompts/{prompt_set}.csv", dataset=CONFIG.datasets, prompt_set=USED["prompts"]),
    output:
        accuracy="<results>/summary/accuracy.csv",
        per_class="<results>/summary/per_class.csv",
        diversity="<results>/summary/diversity.csv",
        prompts="<results>/summary/prompts.csv",
    log:
        "<logs>/summarize.log",
    benchmark:
        "<benchmarks>/summarize.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=settings(
            "Summarize",
            datasets=list(CONFIG.datasets),
            seeds=CONFIG.cell_seeds,
            folds=CONFIG.folds,
            shots=CONFIG.shot_counts,
            methods=list(CONFIG.methods),
            generators=USED["generators"],
            weighted=CONFIG.weighted_sets(),
            prompt_sets=USED["prompts"],
        ),
        code=code("summarize"),
        results=subpath(output.accuracy, ancestor=2),
        folder=subpath(output.accuracy, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/summarize.py --results {params.results} --settings {params.settings:q}'
        " --output {params.folder} 2>&1 | tee {log}"


rule plot_accuracy:
    input:
        "<results>/summary/accuracy.csv",
    output:
        report(
            "<results>/figures/accuracy.svg",
            category="1 Accuracy",
            labels={"figure": "Accuracy over shots"},
            caption="../report/accuracy.rst",
        ),
    log:
        "<logs>/plot_accuracy.log",
    benchmark:
        "<benchmarks>/plot_accuracy.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("plot_accuracy"),
    shell:
        'python "$DIAGEN"/workflow_scripts/plot_accuracy.py {input} --output {output} 2>&1 | tee {log}'


rule plot_ablation:
    input:
        "<results>/summary/accuracy.csv",
    output:
        report(
            "<results>/figures/ablation.svg",
            category="1 Accuracy",
            labels={"figure": "Ablation"},
            caption="../report/ablation.rst",
        ),
    log:
        "<logs>/plot_ablation.log",
    benchmark:
        "<benchmarks>/plot_ablation.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("plot_ablation"),
    shell:
        'python "$DIAGEN"/workflow_scripts/plot_ablation.py {input} --output {output} 2>&1 | tee {log}'


rule tabulate_diversity:
    input:
        "<results>/summary/diversity.csv",
    output:
        report(
            "<results>/figures/diversity.html",
            category="2 Diversity",
            labels={"figure": "Precision and recall"},
            caption="../report/diversity.rst",
        ),
    log:
        "<logs>/tabulate_diversity.log",
    benchmark:
        "<benchmarks>/tabulate_diversity.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("tabulate_diversity"),
    shell:
        'python "$DIAGEN"/workflow_scripts/tabulate_diversity.py {input} --output {output} 2>&1 | tee {log}'


rule tabulate_prompts:
    input:
        expand(
            "<results>/{dataset}/prompts/{prompt_set}.lines.csv", dataset=CONFIG.datasets, prompt_set=USED["prompts"]
        ),
    output:
        report(
            "<results>/figures/prompts.html",
            category="2 Diversity",
            labels={"figure": "Prompts"},
            caption="../report/prompts.rst",
        ),
    log:
        "<logs>/tabulate_prompts.log",
    benchmark:
        "<benchmarks>/tabulate_prompts.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        sets=lambda wildcards, input: " ".join(
            f"--set {dataset} {name} {file}"
            for (dataset, name), file in zip(product(CONFIG.datasets, USED["prompts"]), input, strict=True)
        ),
        code=code("tabulate_prompts"),
    shell:
        'python "$DIAGEN"/workflow_scripts/tabulate_prompts.py {params.sets} --output {output} 2>&1 | tee {log}'


rule plot_gallery:
    input:
        shots=f"<results>/{{dataset}}/seed{CONFIG.cell_seeds[0]}/shots{max(CONFIG.shot_counts)}/shots.csv",
        sets=[
            file
            for name in IN_GALLERY
            for file in gallery_tables(
                name, f"<results>/{{dataset}}/seed{CONFIG.cell_seeds[0]}/shots{max(CONFIG.shot_counts)}"
            )
        ],
    output:
        report(
            "<results>/figures/gallery/{dataset}.html",
            category="3 Gallery",
            labels={"figure": "Gallery of {dataset}"},
            caption="../report/gallery.rst",
        ),
    log:
        "<logs>/plot_gallery/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_gallery/{dataset}.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        sets=lambda wildcards, input: " ".join(
            f"--set {name} {' '.join(gallery_tables(name, subpath(input.shots, parent=True)))}" for name in IN_GALLERY
        ),
        code=code("plot_gallery"),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/plot_gallery.py {input.shots} {params.sets} --store {params.store}'
        " --output {output} 2>&1 | tee {log}"


rule plot_calibration:
    input:
        cells(f"{CELL}/guide_classifiers/{{guide_classifier}}/calibration.json", guide_classifier=CALIBRATED),
    output:
        report(
            "<results>/figures/calibration.svg",
            category="4 Weights",
            labels={"figure": "Calibration of the guide classifiers"},
            caption="../report/calibration.rst",
        ),
    log:
        "<logs>/plot_calibration.log",
    benchmark:
        "<benchmarks>/plot_calibration.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("plot_calibration"),
    shell:
        'python "$DIAGEN"/workflow_scripts/plot_calibration.py {input} --output {output} 2>&1 | tee {log}'


rule tabulate_dataset:
    input:
        images="<results>/{dataset}/images.csv",
        skipped="<results>/{dataset}/skipped.csv",
        leakage="<results>/{dataset}/leakage.json",
    output:
        report(
            "<results>/figures/dataset/{dataset}.html",
            category="5 Data",
            labels={"figure": "Images of {dataset}"},
            caption="../report/dataset.rst",
        ),
    log:
        "<logs>/tabulate_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/tabulate_dataset/{dataset}.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("tabulate_dataset"),
    shell:
        'python "$DIAGEN"/workflow_scripts/tabulate_dataset.py {input.images} {input.skipped} {input.leakage}'
        " --name {wildcards.dataset} --output {output} 2>&1 | tee {log}"


# Kinds of results with a record of their making, and their names.
RECORDED = {
    "prompts": USED["prompts"],
    "embeddings": USED["embeddings"],
    "noise_ceilings": USED["noise_ceilings"],
    "guide_classifiers": CALIBRATED,
    "manifest": USED["generators"],
    "features": USED["generators"],
    "weights": WEIGHTED,
    "downstream": list(CONFIG.methods),
    "diversity": [*USED["generators"], *WEIGHTED],
}


rule tabulate_made_with:
    input:
        [
            f"<results>/{path}"
            for _, path in record_files(CONFIG.datasets, product(CONFIG.cell_seeds, CONFIG.shot_counts), RECORDED)
        ],
    output:
        report(
            "<results>/figures/made_with.html",
            category="6 Made with",
            labels={"figure": "Versions and devices"},
            caption="../report/made_with.rst",
        ),
    log:
        "<logs>/tabulate_made_with.log",
    benchmark:
        "<benchmarks>/tabulate_made_with.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=settings(
            "TabulateMadeWith",
            datasets=list(CONFIG.datasets),
            seeds=CONFIG.cell_seeds,
            shots=CONFIG.shot_counts,
            blocks=RECORDED,
        ),
        code=code("tabulate_made_with"),
        results=subpath(output[0], ancestor=2),
    shell:
        'python "$DIAGEN"/workflow_scripts/tabulate_made_with.py --results {params.results}'
        " --settings {params.settings:q} --output {output} 2>&1 | tee {log}"

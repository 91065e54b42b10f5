include: "functions/report.smk"
include: "functions/pictures.smk"


from itertools import product

from diagen.files.made_with import record_files

# Blocks that no method uses are not computed.
USED = CONFIG.used_blocks()
# Synthetic sets with the weights by which a method draws from them.
WEIGHTED = [f"{generator}/{weighting}" for generator, weighting in CONFIG.weighted_sets()]
CALIBRATED = sorted({CONFIG.weightings[name].guide_classifier for name in USED["weightings"]})
# The method whose images and errors the report shows.
PRIMARY = CONFIG.primary


rule summarize:
    input:
        tests_exist,
        cells(f"{CELL}/downstream/{{method}}/metrics.json", method=CONFIG.compared_methods),
        cells(f"{CELL}/diversity/{{generator}}.json", generator=USED["generators"]),
        [file for name in WEIGHTED for file in cells(f"{CELL}/diversity/{name}.json")],
        expand("<results>/{dataset}/ceiling.json", dataset=CONFIG.datasets if USED["generators"] else []),
        expand("<results>/{dataset}/prompts/{prompt_set}.csv", dataset=CONFIG.datasets, prompt_set=USED["prompts"]),
    output:
        accuracy=report(
            "<results>/summary/accuracy.csv",
            category="Summary",
            labels={"table": "Accuracy"},
            caption="../report/accuracy.rst",
        ),
        per_class=report(
            "<results>/summary/per_class.csv",
            category="Summary",
            labels={"table": "Accuracy per class"},
            caption="../report/per_class.rst",
        ),
        diversity=report(
            "<results>/summary/diversity.csv",
            category="Summary",
            labels={"table": "Precision and recall"},
            caption="../report/diversity.rst",
        ),
        prompts=report(
            "<results>/summary/prompts.csv",
            category="Summary",
            labels={"table": "Prompts"},
            caption="../report/prompts.rst",
        ),
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
            methods=CONFIG.compared_methods,
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


# Kinds of results with a record of their making, and their names.
RECORDED = {
    "prompts": USED["prompts"],
    "embeddings": USED["embeddings"],
    "noise_ceilings": USED["noise_ceilings"],
    "guide_classifiers": CALIBRATED,
    "manifest": USED["generators"],
    "features": USED["generators"],
    "weights": WEIGHTED,
    "downstream": CONFIG.compared_methods,
    "diversity": [*USED["generators"], *WEIGHTED],
}


rule write_report:
    input:
        tables=expand(
            "<results>/summary/{table}.csv",
            table=["comparisons", "worth", "means", "accuracy", "per_class", "diversity", "prompts"],
        ),
        shots=cells(f"{CELL}/shots.csv"),
        predictions=cells(f"{CELL}/downstream/{PRIMARY}/predictions.csv") if PRIMARY else [],
        pictures=picture_files(),
        calibrations=cells(
            f"{CELL}/guide_classifiers/{{guide_classifier}}/calibration.json", guide_classifier=CALIBRATED
        ),
        prompts=expand(
            "<results>/{dataset}/prompts/{prompt_set}.lines.csv", dataset=CONFIG.datasets, prompt_set=USED["prompts"]
        ),
        photos=expand(
            "<results>/{dataset}/{table}",
            dataset=CONFIG.datasets,
            table=["images.csv", "skipped.csv", "leakage.json"],
        ),
        records=[
            f"<results>/{path}"
            for _, path in record_files(CONFIG.datasets, product(CONFIG.cell_seeds, CONFIG.shot_counts), RECORDED)
        ],
    output:
        "<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(2_000),
        runtime=scaled_by_attempt(20),
    params:
        # A function, since Snakemake would take braces in texts of the configuration for wildcards.
        settings=lambda wildcards: settings(
            "WriteReport",
            experiment=CONFIG.experiment,
            datasets={name: dataset.adapter for name, dataset in CONFIG.datasets.items()},
            seeds=CONFIG.seeds,
            folds=CONFIG.folds,
            shots=CONFIG.shot_counts,
            primary=PRIMARY,
            ladder=CONFIG.ladder_generator(),
            methods=CONFIG.methods,
            generators={name: CONFIG.generators[name] for name in USED["generators"]},
            prompt_sets=USED["prompts"],
            weightings={name: CONFIG.weightings[name] for name in USED["weightings"]},
            models=model_facts(),
            recorded=RECORDED,
        ),
        code=code("write_report"),
        results=subpath(output[0], parent=True),
        store=STORE,
    shell:
        'python "$DIAGEN"/workflow_scripts/write_report.py --results {params.results} --store {params.store}'
        " --settings {params.settings:q} --output {output} 2>&1 | tee {log}"

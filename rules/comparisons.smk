rule compare_methods:
    input:
        cells(f"{CELL}/downstream/{{method}}/predictions.csv", method=CONFIG.compared_methods),
    output:
        comparisons=report(
            "<results>/summary/comparisons.csv",
            category="Summary",
            labels={"table": "Comparisons"},
            caption="../report/comparisons.rst",
        ),
        worth=report(
            "<results>/summary/worth.csv",
            category="Summary",
            labels={"table": "Worth in real photos"},
            caption="../report/worth.rst",
        ),
        means=report(
            "<results>/summary/means.csv",
            category="Summary",
            labels={"table": "Means and intervals"},
            caption="../report/means.rst",
        ),
    log:
        "<logs>/compare_methods.log",
    benchmark:
        "<benchmarks>/compare_methods.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        # A result takes a byte, and one comparison at a time 80 bytes a result: 20,000 images in 30 cells, 0.05 GB.
        mem_mb=scaled_by_attempt(2_000),
        runtime=scaled_by_attempt(10),
    params:
        settings=settings(
            "CompareMethods",
            datasets=list(CONFIG.datasets),
            cell_seeds=CONFIG.cell_seeds,
            folds=CONFIG.folds,
            shots=CONFIG.shot_counts,
            methods=CONFIG.compared_methods,
            baselines=CONFIG.baselines,
            primary=CONFIG.primary,
            split=CONFIG.comparison.split,
        ),
        code=code("compare_methods"),
        results=subpath(output.means, ancestor=2),
        folder=subpath(output.means, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/compare_methods.py --results {params.results} --settings {params.settings:q}'
        " --output {params.folder} 2>&1 | tee {log}"


# Not part of `all`; a target of its own.
rule latex_tables:
    input:
        means=rules.compare_methods.output.means,
        comparisons=rules.compare_methods.output.comparisons,
        diversity="<results>/summary/diversity.csv" if CONFIG.used_blocks()["generators"] else [],
    output:
        accuracy="<results>/summary/accuracy.tex",
        comparisons="<results>/summary/comparisons.tex",
        diversity="<results>/summary/diversity.tex" if CONFIG.used_blocks()["generators"] else [],
    log:
        "<logs>/latex_tables.log",
    benchmark:
        "<benchmarks>/latex_tables.jsonl"
    conda:
        "../envs/figures.yaml"
    resources:
        mem_mb=scaled_by_attempt(1_000),
        runtime=scaled_by_attempt(10),
    params:
        code=code("latex_tables"),
        diversity=lambda wildcards, input: f"--diversity {input.diversity}" if input.diversity else "",
        folder=subpath(output.accuracy, parent=True),
    shell:
        'python "$DIAGEN"/workflow_scripts/latex_tables.py --means {input.means} --comparisons {input.comparisons}'
        " {params.diversity} --output {params.folder} 2>&1 | tee {log}"

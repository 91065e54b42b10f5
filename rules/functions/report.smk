def tests_exist(wildcards):
    """No input. Ends Snakemake if there is nothing to test methods on."""
    if CONFIG.untested_datasets:
        names = " and ".join(f"`datasets.{name}`" for name in CONFIG.untested_datasets)
        files = " ".join(os.path.relpath(file) for file in workflow.configfiles)
        # Snakemake would add a traceback to an error of an input function.
        sys.exit(
            f"error: {names}: `test: none` leaves nothing to test methods on. To test on the photos themselves, add "
            "`evaluation: {folds: 5}`. For images only, name the target: "
            f".venv/bin/snakemake export_dataset --cores all --configfile {files}"
        )
    return []


def report_figures():
    """The figures and pages that are not empty for this configuration."""
    figures = ["accuracy.svg", "ablation.svg"]
    figures += ["calibration.svg"] if CALIBRATED else []
    figures += ["diversity.html"] if USED["generators"] else []
    figures += ["prompts.html"] if USED["prompts"] else []
    figures += expand("gallery/{dataset}.html", dataset=CONFIG.datasets) if IN_GALLERY else []
    figures += expand("dataset/{dataset}.html", dataset=CONFIG.datasets)
    figures += ["made_with.html"]
    return [f"<results>/figures/{figure}" for figure in figures]


def gallery_tables(name, cell_folder):
    """The manifest of a method's images in one cell, and their weights if it has a weighting."""
    method = CONFIG.methods[name]
    folder = f"{cell_folder}/synthetic/{method.generator}"
    return [f"{folder}/manifest.csv"] + ([f"{folder}/weights/{method.weighting}.csv"] if method.weighting else [])

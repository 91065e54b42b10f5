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

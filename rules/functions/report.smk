def shown_images(cell_folder):
    """Manifest and weights of the primary method's images in one cell, if it weights images."""
    method = CONFIG.methods.get(PRIMARY)
    if method is None or not (method.generator and method.weighting):
        return []
    folder = f"{cell_folder}/synthetic/{method.generator}"
    return [f"{folder}/manifest.csv", f"{folder}/weights/{method.weighting}.csv"]


def model_facts():
    """Where each model comes from, and the hash of its weights."""
    return {
        name: {
            "source": str(model.path or f"{model.repository} at {model.revision}"),
            "sha256": model.sha256,
        }
        for name, model in CONFIG.models.sources().items()
    }

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


def model_facts():
    """Where each model comes from, and the hash of its weights."""
    return {
        name: {
            "source": str(model.path or f"{model.repository} at {model.revision}"),
            "sha256": model.sha256,
        }
        for name, model in CONFIG.models.sources().items()
    }

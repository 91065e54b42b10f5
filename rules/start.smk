# Checks and locks before the first job starts.

from snakemake.logging import logger

from diagen.config import Coco
from diagen.errors import InputError
from diagen.runtime import run_lock


def warn_of_other_photos():
    """A dataset is indexed once: photos that came or went since are told, and the user says whether they are to count."""
    from diagen.data.photo_list import photos_changed

    for name, dataset in CONFIG.datasets.items():
        images, skipped = (Path("results", CONFIG.experiment, name, table) for table in ("images.csv", "skipped.csv"))
        # To list COCO takes as long, and as much memory, as to index it.
        if isinstance(dataset, Coco | DrawnWorld) or not (images.is_file() and skipped.is_file()):
            continue
        try:
            changed = photos_changed(dataset, images, skipped)
        except (InputError, OSError):  # a damaged table is told by the jobs that read it
            continue
        if changed:
            logger.warning(
                f"datasets.{name}: {dataset.root} isn't what was indexed: it {changed}. If these photos are meant to "
                f"count: rm {images} (not needed where the dataset's settings have changed as well)."
            )


def warn_of_forgotten_results():
    """Without its memory, Snakemake takes results for what the configuration and the code ask now."""
    remembered = any(path.is_file() for path in Path(".snakemake/metadata").rglob("*"))
    if not remembered and any(Path("results", CONFIG.experiment).glob("*/images.csv")):
        logger.warning(
            f"results/{CONFIG.experiment} holds results, but .snakemake/metadata, where Snakemake remembers what they "
            "were made with, holds nothing: they are taken for what is asked for now. Remove what is older."
        )


if workflow.is_main_process and not ALLOW_MISSING_FILES:
    warn_of_forgotten_results()
    warn_of_other_photos()


# The rest not in a dry run, nor in the jobs that a cluster runs.

HELD = []  # open files, whose locks the kernel gives back when Snakemake ends, by whatever end


def hold_results():
    """Take the locks of all folders that this run writes to; of the store, one that other runs may take as well."""
    if all(job.rule.name in UTILITY_TARGETS for job in workflow.dag.needrun_jobs()):
        return
    worlds = [world.root for world in CONFIG.datasets.values() if isinstance(world, DrawnWorld)]
    results = Path("results") / CONFIG.experiment
    try:
        HELD.append(run_lock.hold(results))
        HELD.extend(run_lock.hold(Path(root)) for root in worlds)
        HELD.append(run_lock.hold(Path(STORE), shared=True))
    except run_lock.LockHeld as error:
        raise WorkflowError(f"{error}; wait for it to end, or end it, then start again. Nothing was changed.") from None
    except OSError as error:
        raise WorkflowError(f"{error.filename or results} can't be written to: {error.strerror}") from None
    # Jobs of this machine end with the run. Those of a cluster go on, and their results count.
    if workflow.local_exec and HELD[0] is not None:
        os.environ[run_lock.VARIABLE] = os.path.abspath(HELD[0].name)


def require_models():
    """Models that are missing are told before the first job starts, not after hours of others."""
    lacking = [
        f"models.{name}: {model.repository} isn't in {model.location}"
        for name, model in CONFIG.models.sources().items()
        if not model.location.exists()
    ]
    if lacking and any(job.rule.name not in UTILITY_TARGETS for job in workflow.dag.needrun_jobs()):
        raise WorkflowError("Fetch the models first, with `snakemake download_models`:", *lacking)


onstart:
    require_models()
    hold_results()

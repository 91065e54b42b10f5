# Checks and locks before the first job starts.

import time

from snakemake.logging import logger

from diagen.errors import rm
from diagen.files import checksums
from diagen.runtime import run_lock


def warn_of_other_photos():
    """Warn of photos that were added or removed since a dataset was indexed, which happens once."""
    from diagen.data.photo_list import photos_warning

    for name, dataset in CONFIG.datasets.items():
        index = (Path("results", CONFIG.experiment, name, table) for table in ("images.csv", "skipped.csv"))
        warning = photos_warning(name, dataset, *index)
        if warning:
            logger.warning(f"warning: {warning}")


def warn_of_forgotten_results():
    """Warn if Snakemake has no metadata of existing results: it then assumes that they match configuration and code."""
    remembered = any(path.is_file() for path in Path(".snakemake/metadata").rglob("*"))
    if not remembered and any(Path("results", CONFIG.experiment).glob("*/images.csv")):
        logger.warning(
            f"warning: results/{CONFIG.experiment}: Snakemake's record of how these results were made, "
            ".snakemake/metadata, is empty, so they are assumed to match the configuration and the code. "
            f"Remove results that do not: rm -r results/{CONFIG.experiment}"
        )


if workflow.is_main_process and not ALLOW_MISSING_FILES:
    warn_of_forgotten_results()
    warn_of_other_photos()


# What follows runs neither in a dry run nor in cluster jobs.

HELD = []  # open files, whose locks the kernel releases when Snakemake ends, however it ends


def hold_results():
    """Take the locks of all folders that this run writes to, and a shared lock of the store."""
    if all(job.rule.name in UTILITY_TARGETS for job in workflow.dag.needrun_jobs()):
        return
    worlds = [world.root for world in CONFIG.datasets.values() if isinstance(world, DrawnWorld)]
    results = Path("results") / CONFIG.experiment
    try:
        HELD.append(run_lock.hold(results))
        HELD.extend(run_lock.hold(Path(root)) for root in worlds)
        HELD.append(run_lock.hold(Path(STORE), shared=True))
    except run_lock.LockHeld as error:
        raise WorkflowError(f"{error}. Nothing was changed. Wait for it to end, or end it, then start again.") from None
    except OSError as error:
        folder = error.filename or results
        raise WorkflowError(
            f"{folder}: cannot be written to ({error.strerror}). Make it writable: chmod u+w {folder}"
        ) from None
    # Jobs on this machine end with the run. Cluster jobs continue, and their results count.
    if workflow.local_exec and HELD[0] is not None:
        os.environ[run_lock.VARIABLE] = os.path.abspath(HELD[0].name)


def require_models():
    """Report missing models before the first job starts."""
    lacking = [
        f"models.{name}: {model.location}, downloaded from {model.repository}, is missing"
        for name, model in CONFIG.models.sources().items()
        if not model.location.exists()
    ]
    if lacking and any(job.rule.name not in UTILITY_TARGETS for job in workflow.dag.needrun_jobs()):
        files = " ".join(os.path.relpath(file) for file in workflow.configfiles)
        command = f".venv/bin/snakemake --cores 1 download_models --configfile {files}"
        raise WorkflowError(*lacking, f"Download them: {command}")


onstart:
    watch_interrupts()
    require_models()
    hold_results()
    os.environ[checksums.RUN] = f"{time.time_ns()}-{os.getpid()}"

import gc
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from diagen.config import REAL_BASELINES, ConfigError, DrawnWorld, load_config, programs
from diagen.config.prompt_sets import asks_llama
from diagen.config.repeated_keys import repeated_keys
from diagen.data.photo_list import with_counted_folds
from diagen.errors import InputError
from diagen.files.checksums import checksum
from diagen.preflight.needs import Needs
from diagen.runtime.fingerprint import fingerprint

# Snakemake keeps all jobs in memory until it ends; searching them for garbage takes a sixth to a fifth of a plan.
gc.set_threshold(100_000, 50, 100)

os.environ.update(
    # Programs run with the interpreter that runs Snakemake, unless a conda environment precedes it.
    PATH=os.pathsep.join((str(Path(sys.executable).parent), *os.get_exec_path())),
    # The folder of the programs, as a variable of the shell: with a path in a rule's command, a clone in another folder
    # would rerun everything.
    DIAGEN=str(workflow.basedir),
)

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
STORE = "results/store"
CELL = "<results>/{dataset}/seed{seed}/shots{shots}"


wildcard_constraints:
    dataset=r"\w+",
    seed=r"\d+",
    shots=r"\d+",
    embedding=r"\w+",
    prompt_set=r"\w+",
    noise_ceiling=r"\w+",
    generator=r"\w+",
    guide_classifier=r"\w+",
    weighting=r"\w+",
    method=r"\w+",


# Rules that make no results: they need no models and may run during a run.
UTILITY_TARGETS = {"download_models", "preflight", "prune_images", "remove_unneeded", "verify_results"}
# Preflight reports missing files itself, and download_models runs before all models exist. Snakemake does not expose its
# targets while it parses the Snakefile, hence the command line.
ALLOW_MISSING_FILES = not UTILITY_TARGETS.isdisjoint(sys.argv)


def read_config(config, files):
    """The validated configuration of the user, from `files` and the command line."""
    paths = [os.path.relpath(file) for file in files]
    problems = [problem for path in paths for problem in repeated_keys(Path(path).read_text("utf-8"), path)]
    names = ", ".join(paths)
    try:
        named = with_counted_folds(load_config(config, names, check_files=not ALLOW_MISSING_FILES))
    except ConfigError as error:
        problems += error.problems
    except (InputError, OSError) as error:  # of a folder whose photos cannot be counted
        problems.append(str(error))
    if problems:
        raise WorkflowError(str(ConfigError(names, problems)))
    return named


def with_checksums(named):
    """The configuration with the hashes of existing model files, so that other weights give other results."""
    memory = Path(STORE) / "checksums.json"
    try:
        hashes = {
            name: model.model_copy(update={"sha256": checksum(model.location, memory)})
            for name, model in named.models.sources().items()
            if model.sha256 is None and model.location.exists()
        }
    except OSError as error:
        raise WorkflowError(
            f"{error.filename}: cannot be read ({error.strerror}), and belongs to a model of the configuration. Make it"
            f" readable: chmod u+r {error.filename}"
        ) from None
    return named.model_copy(update={"models": named.models.model_copy(update=hashes)})


NAMED = read_config(config, workflow.configfiles)
CONFIG = with_checksums(NAMED)
EXECUTION = CONFIG.execution
GPU = int(EXECUTION.device != "cpu")  # of a job that may share a GPU (`execution.jobs_per_gpu`)
GPU_LIMIT = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else -1
# Snakemake counts whole numbers, so where it limits the GPUs of this machine, `gpu` counts shares of them. Cluster jobs
# request whole GPUs.
WHOLE_GPU = GPU
if workflow.local_exec and GPU_LIMIT > 0:
    WHOLE_GPU *= EXECUTION.jobs_per_gpu
    workflow.register_resource("gpu", GPU_LIMIT * EXECUTION.jobs_per_gpu)
# Shards are processes that share the work of a job, each with its own GPU and CPU threads. Snakemake lowers requests to
# its limits: with `--resources gpu=1`, the shards of a job share one GPU.
SHARDED_GPUS = WHOLE_GPU * EXECUTION.shards
SHARDED_THREADS = EXECUTION.torch_threads * EXECUTION.shards
NEEDS = Needs(CONFIG, lambda dataset: Path("results") / CONFIG.experiment / dataset / "images.csv")

WITH_IMAGES = [name for name, method in CONFIG.methods.items() if method.generator]


def settings(program, **values):
    """The settings of a program as one JSON string with sorted keys, which Snakemake compares and passes on."""
    model = getattr(programs, f"{program}Settings")(**values)
    return json.dumps(model.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def fields(block, program):
    """The values of a block of the configuration that belong to a program's settings, by name."""
    return block.model_dump(include=set(getattr(programs, f"{program}Settings").model_fields))


def code(program, *modules):
    """A hash of the library modules that compute the result of a program or of `modules` (docs/reruns.md)."""
    return fingerprint(SCRIPTS / f"{program}.py", *modules)


def minutes(rule):
    """The run time that a job of `rule` requests, from its work; more on each attempt."""
    return lambda wildcards, attempt: NEEDS.minutes(rule, dict(wildcards.items()), attempt)


def megabytes(rule):
    """The memory that a job of `rule` requests, from its models and images; more on each attempt."""
    return lambda wildcards, attempt: NEEDS.megabytes(rule, dict(wildcards.items()), attempt)


def scaled_by_attempt(request):
    """A request of a job whose work is small in every configuration; more on each attempt."""
    return lambda wildcards, attempt: request * attempt


def cells(pattern, **names):
    """The files of `pattern` for all cells of the experiment: datasets x seeds of cells x shots (x `names`)."""
    grid = {"dataset": CONFIG.datasets, "seed": CONFIG.cell_seeds, "shots": CONFIG.shot_counts}
    return expand(pattern, **grid, **names)


def synthetic_images(wildcards):
    """The manifest of the method's synthetic images and their weights, as far as the method has them."""
    method = CONFIG.methods[wildcards.method]
    if method.generator is None:
        return {}
    folder = f"{CELL}/synthetic/{method.generator}"
    weights = {"weights": f"{folder}/weights/{method.weighting}.csv"} if method.weighting else {}
    return {"manifest": f"{folder}/manifest.csv"} | weights

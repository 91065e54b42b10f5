import json
import os
import sys
from itertools import product
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from diagen.runtime import run_lock
from diagen.files.checksums import checksum
from diagen.config import Coco, ConfigError, DrawnWorld, ImageFolder, load_config, programs
from diagen.config.prompt_sets import asks_llama, prompt_files
from diagen.config.repeated_keys import repeated_keys
from diagen.errors import InputError
from diagen.runtime.fingerprint import fingerprint
from diagen.preflight.needs import Needs

os.environ.update(
    # The interpreter that runs Snakemake runs the programs, unless a conda environment comes before it.
    PATH=os.pathsep.join((str(Path(sys.executable).parent), *os.get_exec_path())),
    # Where the programs lie, for the shell: a path in a rule's code would make a clone elsewhere run everything again.
    DIAGEN=str(workflow.basedir),
)

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
    guide=r"\w+",
    weighting=r"\w+",
    method=r"\w+",


# Rules that make no results: they need no models, and may run beside a run.
ASIDE = {"download_models", "preflight", "prune_images", "remove_unneeded", "verify_results"}
# Preflight tells itself which files are missing, and models are fetched before all of them are there. Snakemake doesn't
# tell the targets while a Snakefile is parsed, hence the command line.
FILES_MAY_LACK = not ASIDE.isdisjoint(sys.argv)


def read_config(config, files):
    """The validated configuration, as the user wrote it into `files` and on the command line."""
    paths = [os.path.relpath(file) for file in files]
    problems = [problem for path in paths for problem in repeated_keys(Path(path).read_text("utf-8"), path)]
    names = ", ".join(paths)
    try:
        named = load_config(config, names, check_files=not FILES_MAY_LACK)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise WorkflowError(str(ConfigError(names, problems)))
    return named


def with_checksums(named):
    """The configuration in which models that are here have the hash of their files: other weights, other results."""
    memory = Path(STORE) / "checksums.json"
    try:
        hashes = {
            name: model.model_copy(update={"sha256": checksum(model.location, memory)})
            for name, model in named.models.sources().items()
            if model.sha256 is None and model.location.exists()
        }
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}; it belongs to a model of the configuration") from None
    return named.model_copy(update={"models": named.models.model_copy(update=hashes)})


NAMED = read_config(config, workflow.configfiles)
CONFIG = with_checksums(NAMED)
EXECUTION = CONFIG.execution
GPU = int(EXECUTION.device != "cpu")
# Shards are processes that share the work of a job, each with a GPU and CPU threads of its own. Snakemake lowers what is
# more than it was given: with `--resources gpu=1`, the shards of a job share that one.
SHARDED_GPUS = GPU * EXECUTION.shards
SHARDED_THREADS = EXECUTION.torch_threads * EXECUTION.shards
NEEDS = Needs(CONFIG, lambda dataset: Path("results") / CONFIG.experiment / dataset / "images.csv")

# A block that no method uses costs nothing.
GENERATORS = list(dict.fromkeys(method.generator for method in CONFIG.methods.values() if method.generator))
PROMPT_SETS = list(
    dict.fromkeys(CONFIG.generators[name].prompts for name in GENERATORS if CONFIG.generators[name].prompts)
)
CALIBRATED = sorted(
    {CONFIG.weightings[method.weighting].guide for method in CONFIG.methods.values() if method.weighting}
)
# Images as they are drawn in training: generators and the weightings by which a method draws their images.
WEIGHTED = list(
    dict.fromkeys((method.generator, method.weighting) for method in CONFIG.methods.values() if method.weighting)
)
WITH_IMAGES = [name for name, method in CONFIG.methods.items() if method.generator]
# The gallery sets the baseline beside ours; where the methods have other names, all are shown.
IN_GALLERY = [name for name in WITH_IMAGES if name in ("da_fusion", "diagen")] or WITH_IMAGES


def settings(program, **values):
    """The settings of a program as one JSON string with sorted keys: what Snakemake compares, and what it passes on."""
    model = getattr(programs, f"{program}Settings")(**values)
    return json.dumps(model.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def code(program):
    """A hash of a program and the library modules that it imports: its change reruns the rule."""
    return fingerprint(Path(workflow.basedir) / "workflow_scripts" / f"{program}.py")


def minutes(rule):
    """The run time that a job of `rule` asks for, by its work; more on each attempt."""
    return lambda wildcards, attempt: NEEDS.minutes(rule, dict(wildcards.items()), attempt)


def megabytes(rule):
    """The memory that a job of `rule` asks for, by its models and images; more on each attempt."""
    return lambda wildcards, attempt: NEEDS.megabytes(rule, dict(wildcards.items()), attempt)


def grown(request):
    """A fixed request of a job whose work is small whatever the configuration; more on each attempt."""
    return lambda wildcards, attempt: request * attempt


def cells(pattern, **names):
    """The files of `pattern` for all cells of the experiment: datasets x seeds x shots (x `names`)."""
    grid = {"dataset": CONFIG.datasets, "seed": CONFIG.seeds, "shots": CONFIG.shots}
    return expand(pattern, **grid, **names)


def before_indexing(dataset):
    """What comes before indexing: a world's scenes are drawn, and a table of splits decides the index."""
    block = CONFIG.datasets[dataset]
    if isinstance(block, DrawnWorld):
        return [f"{block.root}/scenes.csv"]
    return [block.split_table] if isinstance(block, ImageFolder) and block.split_table else []


def planned_prompts(wildcards):
    """The prompts that the generator names; without them each prompt is `a photo of a <class>`."""
    prompt_set = CONFIG.generators[wildcards.generator].prompts
    return f"<results>/{wildcards.dataset}/prompts/{prompt_set}.csv" if prompt_set else []


def learned_words(wildcards):
    """The words that the generator names; without them prompts hold plain class names."""
    embedding = CONFIG.generators[wildcards.generator].embedding
    return f"{CELL}/embeddings/{embedding}.safetensors" if embedding else []


def noise_ceilings(wildcards):
    """The ceilings that the generator fits its noise levels to, if it names some."""
    ceiling = CONFIG.generators[wildcards.generator].noise_ceiling
    return f"{CELL}/noise_ceilings/{ceiling}.csv" if ceiling else []


def synthetic_images(wildcards):
    """The manifest of the images that the method trains on, and their weights, where it has these."""
    method = CONFIG.methods[wildcards.method]
    if method.generator is None:
        return {}
    folder = f"{CELL}/synthetic/{method.generator}"
    weights = {"weights": f"{folder}/weights/{method.weighting}.csv"} if method.weighting else {}
    return {"manifest": f"{folder}/manifest.csv"} | weights


def export_settings(wildcards):
    """The method and all that made its images: other values would make the exported dataset's card untrue."""
    method = CONFIG.methods[wildcards.method]
    generator = CONFIG.generators[method.generator]
    prompt_set = CONFIG.prompts[generator.prompts] if generator.prompts else None
    weighting = CONFIG.weightings[method.weighting] if method.weighting else None
    return settings(
        "ExportDataset",
        dataset=wildcards.dataset,
        method=wildcards.method,
        synthetic_probability=method.synthetic_probability,
        generator=generator,
        embedding=CONFIG.embeddings[generator.embedding] if generator.embedding else None,
        prompts=prompt_set,
        weighting=weighting,
        guide=CONFIG.guides[weighting.guide] if weighting else None,
        diffusion=CONFIG.models.diffusion,
        llama=CONFIG.models.llama if prompt_set is not None and asks_llama(prompt_set) else None,
        backbone=CONFIG.models.backbone if weighting else None,
    )


def report_figures():
    """The figures that this configuration has something to show in."""
    figures = ["accuracy.svg", "ablation.svg"]
    figures += ["calibration.svg"] if CALIBRATED else []
    figures += ["diversity.html"] if GENERATORS else []
    figures += expand("gallery/{dataset}.html", dataset=CONFIG.datasets) if IN_GALLERY else []
    figures += expand("dataset/{dataset}.html", dataset=CONFIG.datasets)
    return [f"<results>/figures/{figure}" for figure in figures]


def gallery_sets(name, cell):
    """Name, manifest and perhaps weights of a method's images in one cell."""
    method = CONFIG.methods[name]
    folder = f"{cell}/synthetic/{method.generator}"
    return [f"{folder}/manifest.csv"] + ([f"{folder}/weights/{method.weighting}.csv"] if method.weighting else [])

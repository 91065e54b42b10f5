import json
import os
import sys
from itertools import product
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from diagen.checksums import checksum
from diagen.config import Coco, ConfigError, DrawnWorld, ImageFolder, load_config, programs
from diagen.errors import InputError
from diagen.fingerprint import fingerprint

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
    generator=r"\w+",
    guide=r"\w+",
    weighting=r"\w+",
    method=r"\w+",


def read_config(config, file):
    """The validated configuration; local models get the hash of their files: other weights mean other results."""
    try:
        valid = load_config(config, file)
        hashes = {
            name: model.model_copy(update={"sha256": checksum(model.path, Path(STORE) / "checksums.json")})
            for name, model in valid.models
            if model is not None and model.path is not None and model.sha256 is None
        }
    except (ConfigError, InputError) as error:
        raise WorkflowError(str(error)) from None
    return valid.model_copy(update={"models": valid.models.model_copy(update=hashes)})


CONFIG = read_config(config, ", ".join(os.path.relpath(file) for file in workflow.configfiles))
EXECUTION = CONFIG.execution
GPU = int(EXECUTION.device != "cpu")

# A block that no method uses costs nothing.
GENERATORS = list(dict.fromkeys(method.generator for method in CONFIG.methods.values() if method.generator))
PROMPT_SETS = list(
    dict.fromkeys(CONFIG.generators[name].prompts for name in GENERATORS if CONFIG.generators[name].prompts)
)
CALIBRATED = sorted(
    {CONFIG.weightings[method.weighting].guide for method in CONFIG.methods.values() if method.weighting}
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


def micro_batch(wildcards, attempt):
    """The configured micro-batch, halved for each attempt that ran out of memory."""
    return max(1, EXECUTION.micro_batch // 2 ** (attempt - 1))


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


def synthetic_images(wildcards):
    """The manifest of the images that the method trains on, and their weights, where it has these."""
    method = CONFIG.methods[wildcards.method]
    if method.generator is None:
        return {}
    folder = f"{CELL}/synthetic/{method.generator}"
    weights = {"weights": f"{folder}/weights/{method.weighting}.csv"} if method.weighting else {}
    return {"manifest": f"{folder}/manifest.csv"} | weights


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

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from diagen.checksums import checksum
from diagen.config import ConfigError, load_config, programs
from diagen.errors import InputError
from diagen.fingerprint import fingerprint

# The interpreter that runs Snakemake runs the programs, unless a conda environment comes before it.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

STORE = "results/store"
CELL = "<results>/{dataset}/seed{seed}/shots{shots}"
BASE = shlex.quote(str(workflow.basedir))
SCRIPTS = f"{BASE}/workflow_scripts"


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
    """The validated configuration; local models get the hash of their files, so that other weights mean other results."""
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


CONFIG = read_config(config, ", ".join(map(str, workflow.configfiles)))
EXECUTION = CONFIG.execution
GPU = int(EXECUTION.device != "cpu")


def settings(program, **values):
    """The settings of a program as one JSON string with sorted keys: what Snakemake compares, and what it passes on."""
    model = getattr(programs, f"{program}Settings")(**values)
    return json_line(model.model_dump(mode="json"))


def json_line(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


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

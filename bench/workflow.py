"""A run of the workflow in a folder of its own, for the programs of bench/."""

import subprocess
import sys
from pathlib import Path

from diagen.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def run_workflow(folder: Path, configfile: Path, cores: int, *arguments: str) -> None:
    """Run the workflow with `folder` as its working directory. Raises `InputError` when the run fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--configfile", configfile.resolve(), "--workflow-profile", ROOT / "profiles" / "default"]
    if subprocess.run([*command, "--cores", str(cores), *arguments], check=False).returncode:
        raise InputError("snakemake: the run failed. Correct what it reports and start again")

"""Show which jobs would run and why: their code, a setting (old and new value), or an input that another job updates.

Takes the arguments of a run, such as `--configfile config/mine.yaml`, and starts none.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from diagen.errors import InputError
from diagen.preflight.reasons import planned_jobs
from diagen.runtime.program import run

ERROR = re.compile(r"^(?:\w*(?:Error|Exception|Interrupt)\b|\S+: error:)")


def main() -> None:
    """Ask Snakemake for a dry run and print its jobs with their reasons."""
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] [argument of snakemake ...]")
    _, arguments = parser.parse_known_args()
    if missing := [name for name in config_files(arguments) if not Path(name).is_file()]:
        raise InputError(f"--configfile {missing[0]}: no such file. Correct the path")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise InputError(f"snakemake: the dry run failed. Correct what it reports:\n{failure(result.stdout)}")
    for line in result.stdout.splitlines():
        if line.startswith("warning: "):
            print(line, file=sys.stderr)
    jobs = list(planned_jobs(result.stdout))
    if jobs:
        print("\n".join(map(str, jobs)))
    print(f"{len(jobs)} jobs would run." if jobs else "Nothing would run: all results are up to date.")


def config_files(arguments: Sequence[str]) -> list[str]:
    """The values of `--configfile` and `--configfiles` among the arguments of Snakemake."""
    names: list[str] = []
    is_value = False
    for argument in arguments:
        if argument.startswith("-"):
            option, _, value = argument.partition("=")
            is_value = option in ("--configfile", "--configfiles")
            names += [value] if is_value and value else []
        elif is_value:
            names.append(argument)
    return names


def failure(output: str) -> str:
    """The part of Snakemake's output that names the error, without tracebacks and usage."""
    lines = output.strip().splitlines()
    first = next((number for number, line in enumerate(lines) if ERROR.match(line)), len(lines) - 1)
    return "\n".join(lines[first:])


if __name__ == "__main__":
    run(main)

"""Find damaged and missing results, and print the commands that make them again.

The exit status is 2 if there are any.
"""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from diagen.errors import InputError
from diagen.runtime.program import run


def main() -> None:
    """Check the results, and print the findings and commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="results folder of the experiment")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="store folder")
    parser.add_argument("--configfile", nargs="+", default=[], help="configuration files, for the printed command")
    arguments = parser.parse_args()

    if not arguments.results.is_dir():
        raise InputError(f"{arguments.results}: no such folder. Run the experiment first, or correct the path")

    if not (arguments.results / "logs").is_dir():  # every experiment has them, whatever else is missing
        raise InputError(f"{arguments.results}: no results of an experiment. Name the folder results/<experiment>")

    from diagen.store.verification import verify_results

    findings = list(verify_results(arguments.results, arguments.store))
    for finding in findings:
        print(f"{finding.path}: {finding.problem}")
    if not findings:
        print(f"{arguments.results}: all results are complete and undamaged.")
        return
    print(f"{len(findings)} result(s) are damaged or missing. To make them again, type:")
    if remove := unique(path for finding in findings for path in finding.remove):
        print(f"rm -f {remove}")
    if remake := unique(finding.remake for finding in findings if finding.remake):
        configured = f" --configfile {shlex.join(arguments.configfile)}" if arguments.configfile else ""
        print(f".venv/bin/snakemake --cores all{configured} -- {remake}")
    sys.exit(2)


def unique(paths: Iterable[Path]) -> str:
    """The paths without repetitions, quoted for the shell."""
    return shlex.join(map(str, dict.fromkeys(paths)))


if __name__ == "__main__":
    run(main)

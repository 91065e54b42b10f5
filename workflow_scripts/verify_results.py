"""Find results that were damaged or lost after they were made, and say how each is made again.

All are told together; with any, the exit status is 2.
"""

import argparse
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from diagen.errors import InputError
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the experiment's folder")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="folder of the synthetic images")
    parser.add_argument("--configfile", nargs="+", default=[], help="the experiment's configuration, for the remedy")
    arguments = parser.parse_args()

    if not arguments.results.is_dir():
        raise InputError(f"{arguments.results}: no such folder; run the experiment first, or correct the path")

    from diagen.store.verification import verify_results

    findings = list(verify_results(arguments.results, arguments.store))
    for finding in findings:
        print(f"{finding.path}: {finding.problem}")
    if not findings:
        print(f"{arguments.results}: every result is there and whole.")
        return
    print(f"{len(findings)} result(s) are damaged or missing. This makes them again:")
    if remove := unique(path for finding in findings for path in finding.remove):
        print(f"rm -f {remove}")
    if remake := unique(finding.remake for finding in findings if finding.remake):
        configured = f" --configfile {shlex.join(arguments.configfile)}" if arguments.configfile else ""
        print(f"snakemake --cores all{configured} -- {remake}")
    sys.exit(2)


def unique(paths: Iterable[Path]) -> str:
    """Each of the paths once, for the shell."""
    return shlex.join(map(str, dict.fromkeys(paths)))


if __name__ == "__main__":
    run(main)

"""Show which jobs would run and why: their code, a setting (old and new value), or an input that another job updates.

Takes the arguments of a run, such as `--configfile config/mine.yaml`, and starts none.
"""

import argparse
import subprocess
import sys

from diagen.errors import InputError
from diagen.preflight.reasons import planned_jobs
from diagen.runtime.program import run


def main() -> None:
    """Ask Snakemake for a dry run and print its jobs with their reasons."""
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] [argument of snakemake ...]")
    _, arguments = parser.parse_known_args()
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise InputError(f"snakemake: the dry run failed. Mend what it reports:\n{result.stdout.strip()}")
    jobs = list(planned_jobs(result.stdout))
    print("\n".join(map(str, jobs)))
    print(f"{len(jobs)} jobs would run." if jobs else "Nothing would run: all results are up to date.")


if __name__ == "__main__":
    run(main)

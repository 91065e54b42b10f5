"""Tabulate versions, devices, threads and micro-batches of an experiment's results on a self-contained HTML page."""

import argparse
from itertools import product
from pathlib import Path

from diagen.config.programs import TabulateMadeWithSettings
from diagen.files.atomic import atomic_path
from diagen.files.made_with import read_made_with, record_files
from diagen.report.made_with_page import made_with_page
from diagen.runtime.program import run


def main() -> None:
    """Read the records of the results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<experiment>")
    parser.add_argument("--settings", type=TabulateMadeWithSettings.from_argument, required=True, help="as JSON")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()
    names = arguments.settings

    files = record_files(names.datasets, product(names.seeds, names.shots), names.blocks)
    page = made_with_page((kind, read_made_with(arguments.results / path)) for kind, path in files)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

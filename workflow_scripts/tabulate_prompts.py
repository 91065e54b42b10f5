"""Tabulate prompt sets on a self-contained HTML page: words, places, lengths, and refused lines."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the tables of lines, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--set",
        dest="sets",
        nargs=3,
        action="append",
        required=True,
        metavar=("DATASET", "NAME", "CSV"),
        help="a dataset, one of its prompt sets, and the set's table of lines; repeat for each",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()

    from diagen.prompts.lines_file import read_lines
    from diagen.report.prompts_page import prompts_page

    page = prompts_page((dataset, name, read_lines(Path(file))) for dataset, name, file in arguments.sets)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

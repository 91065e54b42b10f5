"""Tabulate precision, recall, density and coverage on a self-contained HTML page, beside the paper's Table 1."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the table of diversity, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("diversity", type=Path, metavar="diversity.csv", help="summary table of diversity")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()

    from diagen.report.diversity_page import diversity_page
    from diagen.report.statistics import DIVERSITY, read_table

    page = diversity_page(read_table(arguments.diversity, DIVERSITY))
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

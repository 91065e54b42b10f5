"""Write the summary tables in LaTeX: accuracy.tex, comparisons.tex and, with --diversity, diversity.tex."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.files.tables import reading
from diagen.runtime.program import run


def main() -> None:
    """Read the summary tables, and write them in LaTeX."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--means", type=Path, required=True, metavar="means.csv", help="table of accuracies")
    parser.add_argument(
        "--comparisons", type=Path, required=True, metavar="comparisons.csv", help="table of comparisons"
    )
    parser.add_argument("--diversity", type=Path, metavar="diversity.csv", help="table of diversity (default: none)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="output folder")
    arguments = parser.parse_args()

    from diagen.comparisons.tables_file import read_comparisons, read_means
    from diagen.report.latex import accuracy_tex, comparisons_tex, diversity_tex
    from diagen.report.summary_tables import DIVERSITY, read_table

    texts = {}
    with reading(arguments.means):  # a table that lacks some of its rows is damaged, too
        texts["accuracy"] = accuracy_tex(read_means(arguments.means))
    with reading(arguments.comparisons):
        texts["comparisons"] = comparisons_tex(read_comparisons(arguments.comparisons))
    if arguments.diversity:
        with reading(arguments.diversity):
            texts["diversity"] = diversity_tex(read_table(arguments.diversity, DIVERSITY))
    for name, text in texts.items():
        with atomic_path(arguments.output / f"{name}.tex") as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

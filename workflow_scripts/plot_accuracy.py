"""Plot accuracy over the number of real images per class, with a panel per split and a line per method."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.arguments import figure_file
from diagen.runtime.program import run


def main() -> None:
    """Read the table of accuracies, and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("accuracy", type=Path, metavar="accuracy.csv", help="summary table of accuracies")
    parser.add_argument("--output", type=figure_file, required=True, metavar="FILE", help=".svg or .png")
    arguments = parser.parse_args()

    from diagen.report.figures import plot_accuracy, save_figure
    from diagen.report.statistics import ACCURACY, read_table

    with atomic_path(arguments.output) as temporary:
        save_figure(plot_accuracy(read_table(arguments.accuracy, ACCURACY)), temporary)


if __name__ == "__main__":
    run(main)

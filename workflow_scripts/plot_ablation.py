"""Plot the ablation: the mean accuracy of each method, and its difference to a baseline."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the table of accuracies, and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("accuracy", type=Path, metavar="accuracy.csv", help="summary table of accuracies")
    parser.add_argument(
        "--baseline",
        default="da_fusion",
        metavar="METHOD",
        help="method to compare the others with; if it is not in the table, the first one (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".svg or .png")
    arguments = parser.parse_args()

    from diagen.report.figures import plot_ablation, save_figure
    from diagen.report.statistics import ACCURACY, read_table

    accuracy = read_table(arguments.accuracy, ACCURACY)
    methods = accuracy["method"].unique().tolist()
    baseline = arguments.baseline if arguments.baseline in methods else methods[0]
    with atomic_path(arguments.output) as temporary:
        save_figure(plot_ablation(accuracy, baseline), temporary)


if __name__ == "__main__":
    run(main)

"""Plot the reliability of guide classifiers before and after temperature scaling, pooled over all classifiers."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.files.json_files import read_calibration
from diagen.runtime.arguments import figure_file
from diagen.runtime.program import run


def main() -> None:
    """Read the calibrations, and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calibrations", type=Path, nargs="+", metavar="calibration.json", help="one per classifier")
    parser.add_argument("--output", type=figure_file, required=True, metavar="FILE", help=".svg or .png")
    arguments = parser.parse_args()

    from diagen.report.figures import plot_calibration, save_figure

    calibrations = [read_calibration(path) for path in arguments.calibrations]
    with atomic_path(arguments.output) as temporary:
        save_figure(plot_calibration(calibrations), temporary)


if __name__ == "__main__":
    run(main)

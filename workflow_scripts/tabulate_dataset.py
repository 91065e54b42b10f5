"""Tabulate a dataset on a self-contained HTML page: images, omitted files, and leakage between splits."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the tables, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="images.csv", help="images of the dataset")
    parser.add_argument("skipped", type=Path, metavar="skipped.csv", help="omitted files")
    parser.add_argument("leakage", type=Path, metavar="leakage.json", help="duplicates between roles, of all cells")
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()

    from diagen.data.images_file import read_images, read_skipped
    from diagen.data.leakage_file import read_leaks
    from diagen.report.dataset_page import dataset_page

    leaks, near_distance = read_leaks(arguments.leakage)
    images, skipped = read_images(arguments.images), read_skipped(arguments.skipped)
    page = dataset_page(arguments.name, images, skipped, leaks, near_distance)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

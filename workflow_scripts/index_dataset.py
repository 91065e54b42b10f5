"""List the path, class, split, size and hash of each image of a dataset. Decodes every file to find broken ones."""

import argparse
import sys
from pathlib import Path

from diagen.config.programs import IndexDatasetSettings
from diagen.data.images_file import write_images, write_skipped
from diagen.data.index import index_dataset
from diagen.letters import visible
from diagen.runtime.program import run


def main() -> None:
    """Read the dataset's folder and write `images.csv` and `skipped.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=IndexDatasetSettings.from_argument, help="as JSON")
    parser.add_argument(
        "--shots", type=int, default=0, metavar="N", help="fail if a class has too few images for N shots (default: 0)"
    )
    parser.add_argument("--folds", type=int, default=1, metavar="N", help="folds of which one is tested (default: 1)")
    parser.add_argument("--validation", choices=["yes", "no"], default="yes", help="needed or not (default: yes)")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="images.csv to write")
    parser.add_argument("--skipped", required=True, type=Path, metavar="CSV", help="skipped.csv to write")
    arguments = parser.parse_args()
    needed = {"folds": arguments.folds, "validation": arguments.validation == "yes"}
    index = index_dataset(arguments.settings.dataset, arguments.shots, **needed)
    for note in index.notes:
        print(f"{arguments.settings.dataset.root}: {visible(note)}", file=sys.stderr)
    write_skipped(index.skipped, arguments.skipped)
    write_images(index.images, arguments.output)


if __name__ == "__main__":
    run(main)

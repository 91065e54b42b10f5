"""List a dataset's images: path, class, split, size and hash of each. Every file is decoded to find broken ones."""

import argparse
from pathlib import Path

from diagen.config.programs import IndexDatasetSettings
from diagen.datasets import index_dataset, write_images
from diagen.errors import run


def main() -> None:
    """Read the dataset's folder and write `images.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, metavar="JSON", help='{"dataset": a block of `datasets`}')
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="images.csv to write")
    arguments = parser.parse_args()
    settings = IndexDatasetSettings.model_validate_json(arguments.settings)
    write_images(index_dataset(settings.dataset), arguments.output)


if __name__ == "__main__":
    run(main)

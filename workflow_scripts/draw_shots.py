"""Draw the guide, validation and test images of one cell (dataset, seed, shots)."""

import argparse
import sys
from pathlib import Path

from diagen.config.programs import DrawShotsSettings
from diagen.data.images_file import read_images
from diagen.data.images_needed import few_validation_images
from diagen.data.shots import draw_shots
from diagen.data.shots_file import write_shots
from diagen.runtime.arguments import add_cell_arguments, cell_of
from diagen.runtime.program import run


def main() -> None:
    """Read `images.csv` and write `shots.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="images.csv of the dataset")
    parser.add_argument("--settings", required=True, type=DrawShotsSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="shots.csv to write")
    arguments = parser.parse_args()
    settings = arguments.settings
    rows = draw_shots(read_images(arguments.images), **cell_of(arguments)._asdict(), **settings.model_dump())
    validating = [row.class_name for row in rows if row.role == "val"]
    warning = few_validation_images({row.class_name: validating.count(row.class_name) for row in rows})
    if settings.validation and warning:
        print(f"warning: {warning}", file=sys.stderr)
    write_shots(rows, arguments.output)


if __name__ == "__main__":
    run(main)

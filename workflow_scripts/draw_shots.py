"""Draw the guide, validation and test images of one cell (dataset, seed, shots)."""

import argparse
from pathlib import Path

from diagen.config.programs import DrawShotsSettings
from diagen.data.images_file import read_images
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
    guide_pool = arguments.settings.guide_pool
    rows = draw_shots(read_images(arguments.images), **cell_of(arguments)._asdict(), guide_pool=guide_pool)
    write_shots(rows, arguments.output)


if __name__ == "__main__":
    run(main)

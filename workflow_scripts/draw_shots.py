"""Draw the guide, validation and test images of one cell (dataset, seed, shots)."""

import argparse
from pathlib import Path

from diagen.config.programs import DrawShotsSettings
from diagen.data.images_file import read_images
from diagen.data.shots import draw_shots
from diagen.data.shots_file import write_shots
from diagen.runtime.program import run


def main() -> None:
    """Read `images.csv` and write `shots.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="images.csv of the dataset")
    parser.add_argument("--settings", required=True, type=DrawShotsSettings.from_argument, help="as JSON")
    parser.add_argument("--seed", required=True, type=int, help="seed of the split")
    parser.add_argument("--shots", required=True, type=int, help="guide images per class")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="shots.csv to write")
    arguments = parser.parse_args()
    settings = arguments.settings
    cell = draw_shots(
        read_images(arguments.images),
        dataset=settings.dataset,
        seed=arguments.seed,
        shots=arguments.shots,
        guide_pool=settings.guide_pool,
    )
    write_shots(cell, arguments.output)


if __name__ == "__main__":
    run(main)

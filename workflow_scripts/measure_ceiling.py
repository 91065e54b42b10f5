"""Measure precision, recall, density and coverage of real images against others: the ceiling of synthetic sets."""

import argparse
from pathlib import Path

from diagen.config.programs import MeasureCeilingSettings
from diagen.data.images_file import read_images
from diagen.diversity.measures import measure_ceiling
from diagen.files.json_files import write_json
from diagen.files.made_with import made_with, write_made_with
from diagen.files.tables import read_features
from diagen.runtime.program import run


def main() -> None:
    """Read images and features, and write `ceiling.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="images.csv of the dataset")
    parser.add_argument("features", type=Path, help="features of the images (.npy)")
    parser.add_argument("--settings", required=True, type=MeasureCeilingSettings.from_argument, help="as JSON")
    parser.add_argument("--output", required=True, type=Path, help="ceiling.json to write")
    arguments = parser.parse_args()

    results = measure_ceiling(
        read_images(arguments.images),
        read_features(arguments.features),
        arguments.settings,
        file=arguments.features,
    )
    write_json(results, arguments.output)
    write_made_with([made_with(["numpy"])], arguments.output)


if __name__ == "__main__":
    run(main)

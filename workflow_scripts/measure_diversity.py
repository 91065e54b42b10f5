"""Measure precision, recall, density and coverage of a synthetic set, in each variant, pooled and per class."""

import argparse
from pathlib import Path

from diagen.config.programs import MeasureDiversitySettings
from diagen.data.images_file import read_images
from diagen.data.shots_file import read_shots
from diagen.diversity.measures import measure_diversity
from diagen.files.json_files import write_json
from diagen.files.made_with import made_with, write_made_with
from diagen.files.tables import read_features
from diagen.generation.manifest_file import read_manifest
from diagen.runtime.program import run
from diagen.weighting.weights_file import read_shares


def main() -> None:
    """Read tables and features, and write `diversity.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="images.csv of the dataset")
    parser.add_argument("real", type=Path, help="features of the real images (.npy)")
    parser.add_argument("shots", type=Path, help="shots.csv of the cell")
    parser.add_argument("manifest", type=Path, help="manifest.csv of the synthetic set")
    parser.add_argument("synthetic", type=Path, help="features of the synthetic images (.npy)")
    parser.add_argument("--weights", type=Path, help="table of weights: measure the set as training draws it")
    parser.add_argument("--settings", required=True, type=MeasureDiversitySettings.from_argument, help="as JSON")
    parser.add_argument("--output", required=True, type=Path, help="diversity.json to write")
    arguments = parser.parse_args()

    manifest = read_manifest(arguments.manifest)
    results = measure_diversity(
        read_images(arguments.images),
        read_features(arguments.real),
        {row.sha256 for row in read_shots(arguments.shots) if row.role == "guide"},
        manifest,
        read_features(arguments.synthetic),
        read_shares(arguments.weights, [row.file_name for row in manifest]) if arguments.weights else None,
        arguments.settings,
        real_file=arguments.real,
        synthetic_file=arguments.synthetic,
        weights_file=arguments.weights,
    )
    write_json(results, arguments.output)
    write_made_with([made_with(["numpy"])], arguments.output)


if __name__ == "__main__":
    run(main)

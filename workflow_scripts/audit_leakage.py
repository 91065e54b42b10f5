"""Find duplicates between the guide, validation and test images of each cell, by file hash and by features."""

import argparse
from pathlib import Path

from diagen.config.programs import AuditLeakageSettings
from diagen.data.images_file import read_images
from diagen.data.leakage import audit_cell, unit_features
from diagen.data.leakage_file import write_leaks
from diagen.data.shots_file import read_shots
from diagen.files.tables import read_features
from diagen.runtime.program import run


def main() -> None:
    """Read the tables and features of a dataset, and write `leakage.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="images.csv of the dataset")
    parser.add_argument("features", type=Path, help="features.npy of its images")
    parser.add_argument(
        "--cell",
        dest="cells",
        nargs=3,
        action="append",
        required=True,
        metavar=("SEED", "SHOTS", "TABLE"),
        help="seed, shots and shots.csv of a cell; repeat for each cell",
    )
    parser.add_argument("--settings", required=True, type=AuditLeakageSettings.from_argument, help="as JSON")
    parser.add_argument("--output", required=True, type=Path, metavar="JSON", help="leakage.json to write")
    arguments = parser.parse_args()
    if not all(text.isdecimal() for seed, shots, _ in arguments.cells for text in (seed, shots)):
        parser.error("--cell: expected two whole numbers (seed, shots) and a table")
    near = arguments.settings.near_distance

    images = read_images(arguments.images)
    features = unit_features(images, read_features(arguments.features), arguments.features)
    leaks = [
        leak
        for seed, shots, table in arguments.cells
        for leak in audit_cell(read_shots(Path(table)), int(seed), int(shots), features, near, Path(table))
    ]
    write_leaks(leaks, near, arguments.output)


if __name__ == "__main__":
    run(main)

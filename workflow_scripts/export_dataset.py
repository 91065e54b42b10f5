"""Export the training set of a method as a Hugging Face ImageFolder: images, metadata.csv and a card (README.md)."""

import argparse
from pathlib import Path

from diagen.config.programs import ExportDatasetSettings
from diagen.files.atomic import atomic_path
from diagen.runtime.arguments import add_cell_arguments, cell_of
from diagen.runtime.program import run


def main() -> None:
    """Read the tables of a cell and a method, and write the dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.csv of the synthetic images")
    parser.add_argument("--weights", type=Path, help="table of their weights (default: equal weights)")
    parser.add_argument("--settings", required=True, type=ExportDatasetSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="store folder, with the synthetic images")
    parser.add_argument(
        "--output", required=True, type=Path, help="metadata.csv to write; images go to the same folder"
    )
    arguments = parser.parse_args()
    settings = arguments.settings

    from diagen.data.shots_file import read_shots
    from diagen.export import image_folder
    from diagen.export.card import dataset_card
    from diagen.generation.manifest_file import read_manifest
    from diagen.weighting.weights_file import read_shares

    manifest = read_manifest(arguments.manifest)
    shares = read_shares(arguments.weights, [row.file_name for row in manifest]) if arguments.weights else None
    images = image_folder.plan_export(
        read_shots(arguments.table),
        manifest,
        shares,
        synthetic_probability=settings.synthetic_probability,
        store=arguments.store,
        manifest_file=arguments.manifest,
        weights_file=arguments.weights,
    )
    rows = [image.row for image in images]
    image_folder.place_images(images, arguments.output.parent)
    with atomic_path(arguments.output.with_name("README.md")) as temporary:
        temporary.write_text(dataset_card(rows, settings, cell_of(arguments)), encoding="utf-8")
    image_folder.write_metadata(rows, arguments.output)


if __name__ == "__main__":
    run(main)

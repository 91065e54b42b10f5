"""Show guide images and synthetic images of one cell side by side on an HTML page, with prompts and weights."""

import argparse
from pathlib import Path

from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the tables and images, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", type=Path, metavar="shots.csv", help="the cell's guide images")
    parser.add_argument(
        "--set",
        dest="sets",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME", "MANIFEST"),
        help="a synthetic set: name, manifest.csv and, optionally, table of weights; may be repeated",
    )
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="store folder, with the images")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()
    if not all(2 <= len(parts) <= 3 for parts in arguments.sets):
        parser.error("--set: expected a name, a manifest and, optionally, a table of weights")

    from diagen.data.shots_file import read_shots
    from diagen.generation.manifest_file import read_manifest
    from diagen.report.gallery import SyntheticSet, gallery_page
    from diagen.report.labels import label
    from diagen.weighting.weights_file import read_weights

    sets = [
        SyntheticSet(
            label(name),
            read_manifest(Path(manifest)),
            {row.file_name: row.weight for path in weights for row in read_weights(Path(path))} or None,
        )
        for name, manifest, *weights in arguments.sets
    ]
    page = gallery_page(read_shots(arguments.shots), sets, arguments.store)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

"""Measure precision, recall, density and coverage of a synthetic set, pooled and for each class."""

import argparse
import json
from pathlib import Path

from diagen.config.programs import MeasureDiversitySettings
from diagen.data.images_file import read_images
from diagen.diversity.manifold import LabeledFeatures, diversity_by_scope
from diagen.files.atomic import atomic_path
from diagen.files.tables import read_features
from diagen.generation.manifest_file import read_manifest
from diagen.runtime.program import run
from diagen.weighting.drawing import drawn_shares
from diagen.weighting.weights_file import read_shares


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="images.csv of the dataset")
    parser.add_argument("real", type=Path, help="features of its images (npy)")
    parser.add_argument("manifest", type=Path, help="manifest.csv of the synthetic set")
    parser.add_argument("synthetic", type=Path, help="features of its images (npy)")
    parser.add_argument("--weights", type=Path, help="its table of weights: measure the set as it is drawn by them")
    parser.add_argument("--settings", required=True, type=MeasureDiversitySettings.from_argument, help="as JSON")
    parser.add_argument("--output", required=True, type=Path, help="diversity.json to write")
    arguments = parser.parse_args()
    settings = arguments.settings

    images, manifest = read_images(arguments.images), read_manifest(arguments.manifest)
    real = LabeledFeatures(read_features(arguments.real), [row.class_name for row in images])
    classes = [row.class_name for row in manifest]
    weights = None
    if arguments.weights:
        shares = read_shares(arguments.weights, [row.file_name for row in manifest])
        weights = drawn_shares(classes, [row.guide for row in manifest], shares)
    synthetic = LabeledFeatures(read_features(arguments.synthetic), classes, weights)
    # Validation images of their own split are a part of train-val.
    chosen = [
        row
        for row, image in enumerate(images)
        if ("train_val" if image.split == "val" else image.split) in settings.real_splits
    ]
    results = diversity_by_scope(
        real.take(chosen).subsample(settings.subsample, settings.seed, "real"),
        synthetic.subsample(settings.subsample, settings.seed, "synthetic"),
        settings.k,
    )
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)

"""Weigh synthetic images by the guide classifier's calibrated confidence that they show their guide image's class."""

import argparse
import json
from pathlib import Path

from diagen.checksums import verify
from diagen.config.programs import ScoreImagesSettings
from diagen.errors import run
from diagen.execution import add_execution_arguments, prepare_torch


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path, help="manifest.csv of the images to score")
    parser.add_argument("guide", type=Path, help="folder that train_guide_classifier wrote")
    parser.add_argument("--settings", required=True, type=ScoreImagesSettings.model_validate_json, help="as JSON")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps the images")
    parser.add_argument("--output", required=True, type=Path, help="table of weights to write (CSV)")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings = arguments.settings
    verify(settings.backbone)

    from diagen import classifier, sampling
    from diagen.backbones import load_backbone
    from diagen.calibration import class_confidences
    from diagen.manifest import read_manifest

    device = prepare_torch(arguments.device, arguments.torch_threads)
    rows = read_manifest(arguments.manifest)
    head = classifier.read_head(arguments.guide / "head.safetensors")
    temperature = json.loads((arguments.guide / "calibration.json").read_text(encoding="utf-8"))["temperature"]
    features = classifier.plain_features(
        load_backbone(settings.backbone, device),
        [arguments.store / row.file_name for row in rows],
        size=settings.image_size,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    labels = classifier.labels_of([row.class_name for row in rows], head.classes, arguments.manifest)
    confidences = class_confidences(head.logits(features), labels, temperature)
    weights = sampling.normalise_per_group(confidences, [(row.class_name, row.guide) for row in rows])
    table = [
        sampling.WeightRow(row.file_name, confidence, temperature, weight)
        for row, confidence, weight in zip(rows, confidences, weights.tolist(), strict=True)
    ]
    sampling.write_weights(table, arguments.output)


if __name__ == "__main__":
    run(main)

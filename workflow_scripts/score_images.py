"""Weigh synthetic images by the guide classifier's calibrated confidence that they show their guide image's class."""

import argparse
from pathlib import Path

from diagen.config.programs import ScoreImagesSettings
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path, help="manifest.csv of the images to score")
    parser.add_argument("guide", type=Path, help="folder that train_guide_classifier wrote")
    parser.add_argument("--settings", required=True, type=ScoreImagesSettings.from_argument, help="as JSON")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps the images")
    parser.add_argument("--output", required=True, type=Path, help="table of weights to write (CSV)")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings = arguments.settings
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads)

    import numpy as np

    from diagen.classifiers import heads, linear_probe
    from diagen.classifiers.batch_norm import load_statistics
    from diagen.classifiers.views import augmented_features
    from diagen.files.json_files import read_calibration
    from diagen.generation.manifest_file import read_manifest
    from diagen.models.backbones import load_backbone
    from diagen.seeds import stable_seed
    from diagen.weighting import weights
    from diagen.weighting.calibration import class_confidences

    backbone = load_backbone(settings.backbone, device)
    rows = read_manifest(arguments.manifest)
    head = heads.read_head(arguments.guide / "head.safetensors")
    temperature = read_calibration(arguments.guide / "calibration.json")["temperature"]
    if head.statistics:
        load_statistics(backbone, head.statistics)
    paths = [arguments.store / row.file_name for row in rows]
    labels = linear_probe.labels_of([row.class_name for row in rows], head.classes, arguments.manifest)
    how = {"size": settings.image_size, "micro_batch": arguments.micro_batch, "device": device}
    views = [
        augmented_features(
            backbone, paths, [stable_seed(row.image_seed, "view", view) for row in rows], settings.augmentation, **how
        )
        for view in range(settings.views)
    ] or [linear_probe.plain_features(backbone, paths, **how)]
    confidences = np.mean([class_confidences(head.logits(view), labels, temperature) for view in views], 0).tolist()
    values = sampling.transform_confidences(confidences, settings.transform, settings.threshold)
    by_guide = settings.normalize == "guide_image"
    weights = sampling.normalize_per_group(values, [(row.class_name, row.guide if by_guide else None) for row in rows])
    table = [
        sampling.WeightRow(row.file_name, confidence, temperature, weight)
        for row, confidence, weight in zip(rows, confidences, weights.tolist(), strict=True)
    ]
    sampling.write_weights(table, arguments.output)


if __name__ == "__main__":
    run(main)

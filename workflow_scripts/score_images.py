"""Weigh synthetic images by the guide classifier's calibrated confidence in the class of their guide image."""

import argparse
from pathlib import Path

from diagen.config.programs import ScoreImagesSettings
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_execution_arguments
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Read a manifest and a guide classifier, and write a table of weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path, help="manifest.csv of the images to score")
    parser.add_argument("guide_classifier", type=Path, help="folder of the guide classifier")
    parser.add_argument("--settings", required=True, type=ScoreImagesSettings.from_argument, help="as JSON")
    parser.add_argument("--store", required=True, type=Path, help="store folder, with the images")
    parser.add_argument("--output", required=True, type=Path, help="table of weights to write (CSV)")
    add_execution_arguments(parser, jobs_per_gpu=True)
    arguments = parser.parse_args()
    settings, micro_batch = arguments.settings, arguments.micro_batch
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads, jobs_per_gpu=arguments.jobs_per_gpu)

    from diagen.generation.manifest_file import read_manifest
    from diagen.guide_classifiers.scoring import score_images
    from diagen.guide_classifiers.trained import load_guide_classifier
    from diagen.runtime.made_with import torch_record
    from diagen.weighting.weights_file import write_weights

    table = score_images(
        *load_guide_classifier(arguments.guide_classifier, settings.backbone, device),
        read_manifest(arguments.manifest),
        settings,
        manifest=arguments.manifest,
        store=arguments.store,
        micro_batch=micro_batch,
        device=device,
    )
    write_weights(table, arguments.output)
    write_made_with([torch_record(("torch", "transformers"), device, micro_batch=micro_batch)], arguments.output)


if __name__ == "__main__":
    run(main)

"""Train the guide classifier of a cell on its guide images, and fit the temperature of its confidences.

Writes head.safetensors, history.csv, calibration.json and head.made_with.json.
"""

import argparse
import sys
from pathlib import Path

from diagen.config.programs import TrainGuideClassifierSettings
from diagen.files.checksums import verify
from diagen.files.json_files import write_json
from diagen.files.made_with import write_made_with
from diagen.files.store_layout import checkpoint_path
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Read `shots.csv` and write the guide classifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=TrainGuideClassifierSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="store folder, for checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="output folder")
    add_execution_arguments(parser, jobs_per_gpu=True)
    arguments = parser.parse_args()
    settings, cell, output = arguments.settings, cell_of(arguments), arguments.output
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads, jobs_per_gpu=arguments.jobs_per_gpu)

    from diagen.classifiers.cell_images import arrange
    from diagen.classifiers.trained_file import write_head, write_history
    from diagen.data.shots_file import read_shots
    from diagen.guide_classifiers.calibration import uncalibrated
    from diagen.guide_classifiers.training import train_guide_classifier
    from diagen.models.backbones import load_backbone
    from diagen.runtime.made_with import torch_record

    code = fingerprint(Path(__file__))
    checkpoint = checkpoint_path(arguments.store, code, settings.model_dump_json(), [arguments.table], *cell)
    images = arrange(read_shots(arguments.table), arguments.table)
    calibrated = train_guide_classifier(
        load_backbone(settings.backbone, device, batch_norm=settings.guide_classifier.batch_norm),
        images,
        settings,
        cell,
        checkpoint=checkpoint,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    write_head(calibrated.trained.head, output / "head.safetensors")
    write_history(calibrated.trained.history, output / "history.csv")
    if calibrated.calibration is None:
        print("no photo of some class validates: the temperature stays 1, and nothing is calibrated", file=sys.stderr)
        calibration = uncalibrated(images.classes)
    else:
        calibration = calibrated.calibration.to_json(images.classes)
    write_json(calibration, output / "calibration.json")
    record = torch_record(("torch", "transformers"), device, micro_batch=arguments.micro_batch)
    write_made_with([record], output / "head.safetensors")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

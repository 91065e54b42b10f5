"""Train a cell's guide classifier on its real shots, and fit the temperature of its confidences.

Writes head.safetensors, history.csv and calibration.json.
"""

import argparse
import json
from pathlib import Path

from diagen.config.programs import TrainGuideClassifierSettings
from diagen.files.atomic import atomic_path
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.files.store_layout import checkpoint_path
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Read `shots.csv` and write the classifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=TrainGuideClassifierSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="folder to write into")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings, cell, output = arguments.settings, cell_of(arguments), arguments.output
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads)

    from diagen.classifiers.cell_images import arrange
    from diagen.classifiers.head_file import write_head
    from diagen.classifiers.history_file import write_history
    from diagen.data.shots_file import read_shots
    from diagen.guide_classifiers.training import train_guide_classifier
    from diagen.models.backbones import load_backbone
    from diagen.runtime.made_with import torch_record

    code = fingerprint(Path(__file__))
    checkpoint = checkpoint_path(arguments.store, code, settings.model_dump_json(), [arguments.table], *cell)
    images = arrange(read_shots(arguments.table), arguments.table)
    inference = {"micro_batch": arguments.micro_batch, "device": device}
    backbone = load_backbone(settings.backbone, device)
    made = train_guide_classifier(backbone, images, settings, cell, checkpoint=checkpoint, **inference)
    write_head(made.trained.head, output / "head.safetensors")
    write_history(made.trained.history, output / "history.csv")
    with atomic_path(output / "calibration.json") as temporary:
        temporary.write_text(json.dumps(made.calibration.to_json(images.classes), indent=1) + "\n", encoding="utf-8")
    record = torch_record(("torch", "transformers"), device, micro_batch=arguments.micro_batch)
    write_made_with([record], output / "head.safetensors")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

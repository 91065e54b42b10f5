"""Fit the classifiers on the real photos of a cell alone: a logistic regression and the nearest class mean.

Writes metrics.json, predictions.csv and metrics.made_with.json for each, in a folder of its name.
"""

import argparse
from pathlib import Path

from diagen.config.programs import FitBaselinesSettings
from diagen.files.checksums import verify
from diagen.files.json_files import write_json
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Read the images of a cell, and write the results of both classifiers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=FitBaselinesSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="store folder, for features of photos")
    parser.add_argument("--output", required=True, type=Path, help="folder of the cell's classifiers")
    add_execution_arguments(parser, jobs_per_gpu=True)
    arguments = parser.parse_args()
    settings = arguments.settings
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads, jobs_per_gpu=arguments.jobs_per_gpu)

    from diagen.classifiers.cell_images import arrange
    from diagen.data.shots_file import read_shots
    from diagen.downstream.baselines import fit_baselines
    from diagen.files.predictions_file import write_predictions
    from diagen.models.backbones import load_backbone
    from diagen.runtime.made_with import torch_record

    baselines = fit_baselines(
        load_backbone(settings.backbone, device),
        arrange(read_shots(arguments.table), arguments.table),
        settings,
        cell_of(arguments),
        store=arguments.store,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    record = torch_record(("torch", "transformers", "scikit-learn"), device, micro_batch=arguments.micro_batch)
    for name, fitted in baselines.items():
        folder = arguments.output / name
        write_predictions(fitted.predictions, folder / "predictions.csv")
        write_json(fitted.metrics, folder / "metrics.json")
        write_made_with([record], folder / "metrics.json")


if __name__ == "__main__":
    run(main)

"""Train the downstream classifier of a method on real and synthetic images, and test its kept epoch.

Writes metrics.json, history.csv, predictions.csv, head.safetensors and metrics.made_with.json.
"""

import argparse
from pathlib import Path

from diagen.config.programs import TrainDownstreamSettings
from diagen.files.checksums import verify
from diagen.files.json_files import write_json
from diagen.files.made_with import write_made_with
from diagen.files.store_layout import checkpoint_path
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Read the images of a cell and a method, and write the classifier and its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument(
        "--manifest", type=Path, help="manifest.csv of the synthetic images (default: real images only)"
    )
    parser.add_argument("--weights", type=Path, help="table of their weights (default: equal weights)")
    parser.add_argument("--settings", required=True, type=TrainDownstreamSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="store folder, for checkpoints and synthetic images")
    parser.add_argument("--output", required=True, type=Path, help="output folder")
    add_execution_arguments(parser, jobs_per_gpu=True)
    arguments = parser.parse_args()
    if arguments.weights and not arguments.manifest:
        parser.error("--weights: only valid with --manifest; name the manifest of the weighted images")
    settings, cell, output, store = arguments.settings, cell_of(arguments), arguments.output, arguments.store
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads, jobs_per_gpu=arguments.jobs_per_gpu)

    from diagen.classifiers.cell_images import arrange
    from diagen.classifiers.trained_file import write_head, write_history
    from diagen.data.shots_file import read_shots
    from diagen.downstream.training import Synthetic, train_downstream
    from diagen.files.predictions_file import write_predictions
    from diagen.generation.manifest_file import read_manifest
    from diagen.models.backbones import load_backbone
    from diagen.runtime.made_with import torch_record
    from diagen.weighting.weights_file import read_shares

    tables = [arguments.table, arguments.manifest, arguments.weights]
    checkpoint = checkpoint_path(store, fingerprint(Path(__file__)), settings.model_dump_json(), tables, *cell)
    manifest = read_manifest(arguments.manifest) if arguments.manifest else []
    shares = read_shares(arguments.weights, [row.file_name for row in manifest]) if arguments.weights else None
    tested = train_downstream(
        load_backbone(settings.backbone, device, batch_norm=settings.downstream.batch_norm),
        arrange(read_shots(arguments.table), arguments.table),
        Synthetic(manifest, shares, store, arguments.manifest, arguments.weights),
        settings,
        cell,
        checkpoint=checkpoint,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    write_head(tested.trained.head, output / "head.safetensors")
    write_history(tested.trained.history, output / "history.csv")
    write_predictions(tested.predictions, output / "predictions.csv")
    write_json(tested.metrics, output / "metrics.json")
    record = torch_record(("torch", "transformers"), device, micro_batch=arguments.micro_batch)
    write_made_with([record], output / "metrics.json")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

"""Train a method's downstream classifier on real and synthetic images, and test the epoch that is kept.

Writes metrics.json, history.csv, predictions.csv and head.safetensors.
"""

import argparse
import json
from pathlib import Path

from diagen.config.programs import TrainDownstreamSettings
from diagen.files.atomic import atomic_path
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", type=Path, help="shots.csv of the cell")
    parser.add_argument("--manifest", type=Path, help="manifest.csv of synthetic images; without it, real ones only")
    parser.add_argument("--weights", type=Path, help="their table of weights; without it, all weigh the same")
    parser.add_argument("--settings", required=True, type=TrainDownstreamSettings.from_argument, help="as JSON")
    parser.add_argument("--seed", required=True, type=int, help="seed of the cell")
    parser.add_argument("--shots", required=True, type=int, dest="count", help="guide images per class")
    parser.add_argument(
        "--store", required=True, type=Path, help="folder that keeps checkpoints and the synthetic images"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write into")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings, recipe = arguments.settings, arguments.settings.downstream
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads)

    from diagen.classifiers import evaluation, heads, linear_probe
    from diagen.classifiers.recipe import Recipe
    from diagen.classifiers.views import repeatable_features
    from diagen.data.shots_file import read_shots
    from diagen.files.store_layout import checkpoint_path
    from diagen.generation.manifest_file import read_manifest
    from diagen.models.backbones import load_backbone

    backbone = load_backbone(settings.backbone, device)
    cell = linear_probe.read_cell(read_shots(arguments.shots), arguments.shots)
    synthetic = read_manifest(arguments.manifest) if arguments.manifest else []
    synthetic_classes = [row.class_name for row in synthetic]
    file_names = [row.file_name for row in synthetic]
    shares = sampling.read_shares(arguments.weights, file_names) if arguments.weights else None
    probabilities = sampling.drawing_probabilities(
        cell.class_names("guide"),
        cell.guides,
        synthetic_classes,
        [row.guide for row in synthetic],
        shares,
        settings.synthetic_probability,
    )
    how = {"micro_batch": arguments.micro_batch, "device": device}
    checkpoint = checkpoint_path(
        arguments.store,
        fingerprint(Path(__file__)),
        settings.model_dump_json(),
        [arguments.shots, arguments.manifest, arguments.weights],
        arguments.seed,
        arguments.count,
    )
    trained = linear_probe.train_head(
        backbone,
        linear_probe.decode_all([*cell.paths["guide"], *(arguments.store / name for name in file_names)]),
        linear_probe.labels_of(cell.class_names("guide") + synthetic_classes, cell.classes, arguments.manifest),
        probabilities,
        cell.classes,
        (repeatable_features(backbone, cell.paths["val"], size=recipe.image_size, **how), cell.labels["val"]),
        Recipe(**recipe.model_dump(), weight_decay=0.0, best="accuracy"),
        seed_parts=(settings.dataset, arguments.seed, arguments.count, "downstream"),
        label=f"train_downstream {settings.method}",
        checkpoint=checkpoint,
        **how,
    )
    logits = {
        split: trained.head.logits(cell.features(backbone, split, size=recipe.image_size, **how))
        for split in cell.splits
    }
    splits = {split: evaluation.evaluate(logits[split], cell.labels[split], cell.classes) for split in cell.splits}
    metrics = {
        "dataset": settings.dataset,
        "method": settings.method,
        "seed": arguments.seed,
        "shots": arguments.count,
        "backbone": settings.backbone.path or f"{settings.backbone.repository}@{settings.backbone.revision}",
        "best_epoch": trained.best_epoch,
        "splits": splits,
        "classes_left_out": {
            split: sorted(set(cell.classes) - set(result["per_class"])) for split, result in splits.items()
        },
        "execution": {**how, "device": str(device), "torch_threads": arguments.torch_threads},
    }
    rows = [
        row
        for split in cell.splits
        for row in evaluation.predictions(logits[split], cell.labels[split], cell.classes, cell.paths[split], split)
    ]
    heads.write_head(trained.head, arguments.output / "head.safetensors")
    linear_probe.write_history(trained.history, arguments.output / "history.csv")
    evaluation.write_predictions(rows, arguments.output / "predictions.csv")
    with atomic_path(arguments.output / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

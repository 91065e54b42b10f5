"""Train the guide classifier of a cell on its real shots alone, and fit its temperature on the validation images.

Writes head.safetensors, calibration.json and history.csv.
"""

import argparse
import json
from pathlib import Path

from diagen.config.programs import TrainGuideClassifierSettings
from diagen.files.atomic import atomic_path
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", type=Path, help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=TrainGuideClassifierSettings.from_argument, help="as JSON")
    parser.add_argument("--dataset", required=True, help="name of the dataset, for the seeds")
    parser.add_argument("--seed", required=True, type=int, help="seed of the cell")
    parser.add_argument("--shots", required=True, type=int, dest="count", help="guide images per class")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="folder to write into")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings = arguments.settings
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads)

    from diagen.classifiers import heads, linear_probe
    from diagen.classifiers.recipe import Recipe
    from diagen.classifiers.views import repeatable_features
    from diagen.data.shots_file import read_shots
    from diagen.files.store_layout import checkpoint_path
    from diagen.models.backbones import load_backbone
    from diagen.seeds import stable_seed
    from diagen.weighting.calibration import calibrate
    from diagen.weighting.drawing import drawing_probabilities

    backbone = load_backbone(settings.backbone, device)
    cell = linear_probe.read_cell(read_shots(arguments.shots), arguments.shots)
    how = {"micro_batch": arguments.micro_batch, "device": device}
    features = repeatable_features(backbone, cell.paths["val"], size=settings.image_size, **how)
    recipe = Recipe(**settings.guide.model_dump(), image_size=settings.image_size, best="loss")
    seed_parts = (arguments.dataset, arguments.seed, arguments.count, "guide")
    checkpoint = checkpoint_path(
        arguments.store,
        fingerprint(Path(__file__)),
        settings.model_dump_json(),
        [arguments.shots],
        arguments.dataset,
        arguments.seed,
        arguments.count,
    )
    trained = linear_probe.train_head(
        backbone,
        linear_probe.decode_all(cell.paths["guide"]),
        cell.labels["guide"],
        drawing_probabilities(cell.class_names("guide"), cell.guides, [], [], None, 0.0),
        cell.classes,
        (features, cell.labels["val"]),
        recipe,
        seed_parts=seed_parts,
        label="train_guide_classifier",
        checkpoint=checkpoint,
        **how,
    )
    rows = linear_probe.validation_rows(cell.labels["val"], recipe, stable_seed(*seed_parts, "calibration"))
    calibration = calibrate(trained.head.logits(features())[rows], cell.labels["val"][rows])
    heads.write_head(trained.head, arguments.output / "head.safetensors")
    linear_probe.write_history(trained.history, arguments.output / "history.csv")
    with atomic_path(arguments.output / "calibration.json") as temporary:
        temporary.write_text(json.dumps(calibration.to_json(cell.classes), indent=1) + "\n", encoding="utf-8")
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(main)

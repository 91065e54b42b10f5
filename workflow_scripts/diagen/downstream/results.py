"""What `metrics.json` and `predictions.csv` of a classifier contain about all splits of a cell."""

from collections.abc import Mapping

from torch import Tensor

from diagen.classifiers.cell_images import CellImages
from diagen.classifiers.evaluation import evaluate, predict
from diagen.files.predictions_file import Prediction


def split_metrics(logits: Mapping[str, Tensor], images: CellImages) -> dict[str, object]:
    """The keys `splits` and `classes_left_out` of `metrics.json`, from the logits `[n, C]` of each split."""
    splits = {split: evaluate(found, images.labels[split], images.classes) for split, found in logits.items()}
    left_out = {split: sorted(set(images.classes) - set(result["per_class"])) for split, result in splits.items()}
    return {"splits": splits, "classes_left_out": left_out}


def predictions_of(logits: Mapping[str, Tensor], images: CellImages) -> list[Prediction]:
    """The predictions for all images of all splits, from the logits `[n, C]` of each split."""
    return [
        row
        for split, found in logits.items()
        for row in predict(found, images.labels[split], images.classes, images.paths[split], split)
    ]

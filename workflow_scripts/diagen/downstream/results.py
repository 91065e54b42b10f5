"""What `metrics.json` and `predictions.csv` of a classifier contain about all splits of a cell."""

from collections.abc import Mapping

from torch import Tensor

from diagen.cells import Cell
from diagen.classifiers.cell_images import CellImages
from diagen.classifiers.evaluation import evaluate, predict
from diagen.config.models import BackboneModel
from diagen.files.predictions_file import Prediction


def metrics_of(
    method: str, cell: Cell, source: BackboneModel, logits: Mapping[str, Tensor], images: CellImages, **chosen: object
) -> dict[str, object]:
    """The content of `metrics.json`, from the logits `[n, C]` of each split; `chosen` is what training chose."""
    splits = {split: evaluate(found, images.labels[split], images.classes) for split, found in logits.items()}
    return {
        "dataset": cell.dataset,
        "method": method,
        "seed": cell.seed,
        "shots": cell.shots,
        "backbone": source.path or f"{source.repository}@{source.revision}",
        **chosen,
        "splits": splits,
        "classes_left_out": {
            split: sorted(set(images.classes) - set(result["per_class"])) for split, result in splits.items()
        },
    }


def predictions_of(logits: Mapping[str, Tensor], images: CellImages) -> list[Prediction]:
    """The predictions for all images of all splits, from the logits `[n, C]` of each split."""
    return [
        row
        for split, found in logits.items()
        for row in predict(found, images.labels[split], images.classes, images.paths[split], split)
    ]

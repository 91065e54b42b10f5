"""Schemas and readers of the JSON files that the summary, the figures and the weighting use.

Free of torch.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from diagen.files.atomic import atomic_path
from diagen.files.tables import read_json

Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]  # sums of weights are rounded
Count = Annotated[int, Field(ge=0)]
Variant = Literal["paper", "without_guides", "equal_size"]
"""The compared images: all; without the cell's guide images; or sets of equal size, without guide images."""


class ClassResult(TypedDict):
    """Accuracy of a classifier on one class of a split."""

    accuracy: Share
    n_images: Count


class SplitResult(ClassResult):
    """Accuracy of a classifier on a split: the mean over classes, and each class."""

    per_class: dict[str, ClassResult]


class Metrics(TypedDict):
    """The keys of `metrics.json` (`train_downstream`) that other programs use."""

    dataset: str
    method: str
    seed: int
    shots: int
    splits: Annotated[dict[str, SplitResult], Field(min_length=1)]


class Bin(TypedDict):
    """Mean confidence and accuracy of the predictions with a confidence in (lower, upper]; 0 if there are none."""

    lower: float
    upper: float
    confidence: float
    accuracy: float
    count: Count


class BothReliabilities(TypedDict):
    """The bins before and after temperature scaling."""

    before: Annotated[list[Bin], Field(min_length=1)]
    after: Annotated[list[Bin], Field(min_length=1)]


FEW_ERRORS = 5
"""Fewer errors on validation images do not determine a temperature."""


class ValidationFigures(TypedDict):
    """Calibration error and loss (nats) on validation images, before and after temperature scaling.

    `n_errors` of the `n_images` validation images are classified wrong.
    """

    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    n_images: Count
    n_errors: Count


class Calibration(TypedDict):
    """The keys of `calibration.json` (`train_guide_classifier`) that other programs use.

    Without validation images the temperature is 1, and `val` and `reliability` are `None`.
    """

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    val: ValidationFigures | None
    reliability: BothReliabilities | None


class DiversityEntry(TypedDict):
    """One variant, scope and k in `diversity.json` (`measure_diversity`) or `ceiling.json` (`measure_ceiling`)."""

    variant: Variant
    scope: str
    k: Annotated[int, Field(ge=1)]
    precision: Share
    recall: Share
    density: Annotated[float, Field(ge=0)]
    coverage: Share
    n_real: Count
    n_synthetic: Count


METRICS = TypeAdapter(Metrics)
CALIBRATION = TypeAdapter(Calibration)
DIVERSITY = TypeAdapter(list[DiversityEntry])


def write_json(content: object, path: Path) -> None:
    """Write `content` atomically as JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_metrics(path: Path) -> Metrics:
    """Read a `metrics.json`. Raises `DamagedFile`."""
    return read_json(path, METRICS)


def read_calibration(path: Path) -> Calibration:
    """Read a `calibration.json`. Raises `DamagedFile`."""
    return read_json(path, CALIBRATION)


def read_diversity(path: Path) -> list[DiversityEntry]:
    """Read a `diversity.json` or `ceiling.json`, empty if each k is too large for the images. Raises `DamagedFile`."""
    return read_json(path, DIVERSITY)

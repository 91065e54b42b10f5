"""The JSON files that programs hand on to the summary, the figures and the weighting, and what each must hold.

Free of torch.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from diagen.files.tables import read_json

Share = Annotated[float, Field(ge=0, le=1 + 1e-9)]  # sums of weights round
Count = Annotated[int, Field(ge=0)]


class ClassResult(TypedDict):
    """How a classifier does on one class of a split."""

    accuracy: Share
    n_images: Count


class SplitResult(ClassResult):
    """How a classifier does on a split: the mean over classes, and each class."""

    per_class: dict[str, ClassResult]


class Metrics(TypedDict):
    """A `metrics.json` of `train_downstream`, as far as others read it."""

    dataset: str
    method: str
    seed: int
    shots: int
    splits: Annotated[dict[str, SplitResult], Field(min_length=1)]


class Bin(TypedDict):
    """Predictions with a confidence in (lower, upper]: their means, 0 where there are none."""

    lower: float
    upper: float
    confidence: float
    accuracy: float
    count: Count


class BothReliabilities(TypedDict):
    """The bins before and after scaling."""

    before: Annotated[list[Bin], Field(min_length=1)]
    after: Annotated[list[Bin], Field(min_length=1)]


class ValidationFigures(TypedDict):
    """Calibration error and loss on validation images, before and after scaling."""

    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float


class Calibration(TypedDict):
    """A `calibration.json` of `train_guide_classifier`, as far as others read it."""

    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    val: ValidationFigures
    reliability: BothReliabilities


class DiversityEntry(TypedDict):
    """One scope and k of a `diversity.json` of `measure_diversity`."""

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
DIVERSITY = TypeAdapter(Annotated[list[DiversityEntry], Field(min_length=1)])


def read_metrics(path: Path) -> Metrics:
    """Read a `metrics.json`. Raises `DamagedFile`."""
    return read_json(path, METRICS)


def read_calibration(path: Path) -> Calibration:
    """Read a `calibration.json`. Raises `DamagedFile`."""
    return read_json(path, CALIBRATION)


def read_diversity(path: Path) -> list[DiversityEntry]:
    """Read a `diversity.json`. Raises `DamagedFile`."""
    return read_json(path, DIVERSITY)

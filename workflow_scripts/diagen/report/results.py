"""What the report is made of: the summary tables and the files of an experiment's cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from diagen.cells import Cell
from diagen.comparisons.tables_file import ANSWERS
from diagen.config.programs import WriteReportSettings
from diagen.files.tables import DamagedFile, read_rows
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.report.labels import where
from diagen.weighting.weights_file import read_weights

_TEXTS = {
    "comparisons": ["dataset", "split", "shots", "class", "method", "baseline", "primary", "answer", "verdict"],
    "worth": ["dataset", "split", "method", "baseline", "beyond", "sentence"],
    "means": ["dataset", "split", "shots", "method"],
    "accuracy": ["dataset", "method", "split"],
    "per_class": ["dataset", "method", "split", "class"],
    "diversity": ["dataset", "generator", "scope", "weighting", "variant"],
    "prompts": ["dataset", "prompt_set", "class", "prompt"],
}
_NUMBERS = {
    "comparisons": [
        "estimate", "low", "high", "seeds", "images", "p", "adjusted_p", "adjusted_low", "adjusted_high",
    ],
    "worth": ["shots", "photos", "low", "high", "seeds", "images"],
    "means": ["mean", "low", "high", "seeds", "images"],
    "accuracy": ["seed", "shots", "accuracy", "n_images"],
    "per_class": ["seed", "shots", "accuracy", "n_images"],
    "diversity": ["seed", "shots", "k", "precision", "recall", "density", "coverage", "n_real", "n_synthetic"],
    "prompts": ["number"],
}  # fmt: skip
_FINITE = {"comparisons": ("estimate", "low", "high"), "means": ("mean", "low", "high")}
TRUTHS = ("primary", "beyond")
Table = Any
"""A pandas table; the stubs of pandas know too little of the values in rows and groups of columns."""
Record = Any
"""A row of such a table."""
ALL_SHOTS = "all"
"""Where a table names a number of shots: the mean over all configured ones."""


@dataclass(frozen=True)
class Guess:
    """A test photo's class and the one that a classifier predicts."""

    split: str
    class_name: str
    predicted: str


@dataclass(frozen=True)
class ScoredImage:
    """A synthetic image of the primary method: the cell and row that it belongs to, confidence and weight in [0, 1]."""

    cell: Cell
    row: ManifestRow
    confidence: float
    weight: float


@dataclass(frozen=True)
class Results:
    """An experiment's results in `folder` (results/<experiment>), with its images in `store`.

    Tables are read when they are first asked for. All readers raise `InputError` for a damaged file.
    """

    folder: Path
    store: Path
    settings: WriteReportSettings

    @cached_property
    def comparisons(self) -> Table:
        """The differences between methods (`summary/comparisons.csv`)."""
        return self._table("comparisons")

    @cached_property
    def worth(self) -> Table:
        """The photos that a method is worth (`summary/worth.csv`)."""
        return self._table("worth")

    @cached_property
    def means(self) -> Table:
        """The mean accuracies with their intervals (`summary/means.csv`)."""
        return self._table("means")

    @cached_property
    def accuracy(self) -> Table:
        """The accuracy of each run on test photos (`summary/accuracy.csv`)."""
        table = self._table("accuracy")
        return table[table["split"] != "val"]

    @cached_property
    def per_class(self) -> Table:
        """The accuracy of each run on each class of test photos (`summary/per_class.csv`)."""
        table = self._table("per_class")
        return table[table["split"] != "val"]

    @cached_property
    def diversity(self) -> Table:
        """Precision and recall of each synthetic set (`summary/diversity.csv`)."""
        return self._table("diversity")

    @cached_property
    def prompts(self) -> Table:
        """All prompts (`summary/prompts.csv`)."""
        return self._table("prompts")

    @property
    def primary(self) -> Table:
        """The rows of `comparisons` that the configuration names as the one question, one per dataset."""
        return self.comparisons[self.comparisons["primary"]]

    @property
    def splits(self) -> list[str]:
        """The test splits, in the order of the tables."""
        return list(dict.fromkeys(self.accuracy["split"]))

    @property
    def seed_noun(self) -> str:
        """What a reader calls one draw of training photos."""
        return "repeat" if self.settings.folds > 1 else "seed"

    @property
    def image_noun(self) -> str:
        """What a reader calls an image that tests a classifier."""
        return "photo" if self.settings.folds > 1 else "test photo"

    def where(self, split: str) -> str:
        """The test photos of a split as part of a sentence; those of all folds are the whole dataset."""
        return "in cross-validation" if self.settings.folds > 1 else where(split)

    def cells(self, dataset: str) -> list[Cell]:
        """The cells of a dataset."""
        names = self.settings
        return [Cell(dataset, seed, shots) for seed in names.cell_seeds for shots in names.shots]

    def cell_folder(self, cell: Cell) -> Path:
        """The folder of a cell's files."""
        return self.folder / cell.dataset / f"seed{cell.seed}" / f"shots{cell.shots}"

    def guesses(self, dataset: str) -> list[Guess]:
        """The predictions of the primary method for the test photos of all cells; none without such a method."""
        if self.settings.primary is None:
            return []
        place = Path("downstream", self.settings.primary, "predictions.csv")
        columns = ("split", "class", "predicted")
        return [
            guess
            for cell in self.cells(dataset)
            for guess in read_rows(
                self.cell_folder(cell) / place, columns, lambda values: Guess(*(values[name] for name in columns))
            )
            if guess.split != "val"
        ]

    def scored_images(self, dataset: str) -> Iterator[ScoredImage]:
        """The synthetic images of the primary method with their confidences; none if it has no weighting."""
        method = self.settings.methods.get(self.settings.primary or "")
        if method is None or not (method.generator and method.weighting):
            return
        for cell in self.cells(dataset):
            folder = self.cell_folder(cell) / "synthetic" / method.generator
            manifest = {row.file_name: row for row in read_manifest(folder / "manifest.csv")}
            weights = folder / "weights" / f"{method.weighting}.csv"
            for scored in read_weights(weights):
                if scored.file_name not in manifest:
                    raise DamagedFile(weights, f"manifest.csv does not list {scored.file_name}")
                yield ScoredImage(cell, manifest[scored.file_name], scored.confidence, scored.weight)

    def _table(self, name: str) -> Table:
        texts, numbers = _TEXTS[name], _NUMBERS[name]
        columns = [*texts, *numbers]
        path = self.folder / "summary" / f"{name}.csv"
        rows = read_rows(path, columns, lambda values: [_parsed(name, each, values[each]) for each in columns])
        types = {each: "bool" if each in TRUTHS else "str" if each in texts else "float64" for each in columns}
        return pd.DataFrame(rows, columns=columns).astype(types)


def _parsed(table: str, column: str, value: str) -> str | float | bool:
    """The value of a column of a table. Raises `ValueError`."""
    if column in TRUTHS:
        return value == "True"
    if column in _TEXTS[table]:
        if column == "answer" and value not in ANSWERS:
            raise ValueError(f"`{value}` is no answer out of {', '.join(ANSWERS)}")
        return value
    number = float(value or "nan")
    if column in _FINITE.get(table, ()) and not isfinite(number):
        raise ValueError(f"`{value}` in the column `{column}` is not a finite number")
    return number

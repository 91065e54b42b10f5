"""What the report is made of: the summary tables and the files of an experiment's cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diagen.cells import Cell
from diagen.comparisons.outcomes import VALIDATION
from diagen.comparisons.tables_file import read_comparisons, read_means, read_worth
from diagen.config.programs import WriteReportSettings
from diagen.files.made_with import Share, read_made_with, record_files
from diagen.files.predictions_file import Prediction, read_predictions
from diagen.files.results_layout import cell_folder
from diagen.files.tables import DamagedFile
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.report.labels import where
from diagen.report.summary_tables import ACCURACY, DIVERSITY, PER_CLASS, read_table
from diagen.weighting.weights_file import read_weights

Table = Any
"""A pandas table; the stubs of pandas know too little of the values in rows and groups of columns."""
Record = Any
"""A row of such a table."""


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
        return read_comparisons(self.folder / "summary/comparisons.csv")

    @cached_property
    def worth(self) -> Table:
        """The photos that a method is worth (`summary/worth.csv`)."""
        return read_worth(self.folder / "summary/worth.csv")

    @cached_property
    def means(self) -> Table:
        """The mean accuracies with their intervals (`summary/means.csv`)."""
        return read_means(self.folder / "summary/means.csv")

    @cached_property
    def accuracy(self) -> Table:
        """The accuracy of each run on test photos (`summary/accuracy.csv`)."""
        return self._on_test_photos("accuracy", ACCURACY)

    @cached_property
    def per_class(self) -> Table:
        """The accuracy of each run on each class of test photos (`summary/per_class.csv`)."""
        return self._on_test_photos("per_class", PER_CLASS)

    @cached_property
    def diversity(self) -> Table:
        """Precision and recall of each synthetic set (`summary/diversity.csv`)."""
        return read_table(self.folder / "summary/diversity.csv", DIVERSITY)

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
        return cell_folder(self.folder, cell)

    def guesses(self, dataset: str) -> list[Prediction]:
        """The predictions of the primary method for the test photos of all cells; none without such a method."""
        if self.settings.primary is None:
            return []
        place = Path("downstream", self.settings.primary, "predictions.csv")
        return [
            prediction
            for cell in self.cells(dataset)
            for prediction in read_predictions(self.cell_folder(cell) / place)
            if prediction.split != VALIDATION
        ]

    @cached_property
    def records(self) -> list[tuple[str, list[Share]]]:
        """The kind of each result, and what its parts were made with."""
        names = self.settings
        cells = [(seed, shots) for seed in names.cell_seeds for shots in names.shots]
        files = record_files(names.datasets, cells, names.recorded)
        return [(kind, read_made_with(self.folder / path)) for kind, path in files]

    def scored_images(self, dataset: str) -> list[ScoredImage]:
        """The synthetic images of the primary method with their confidences; none if it has no weighting."""
        return self._scored_images[dataset]

    @cached_property
    def _scored_images(self) -> dict[str, list[ScoredImage]]:
        return {dataset: list(self._read_scored_images(dataset)) for dataset in self.settings.datasets}

    def _read_scored_images(self, dataset: str) -> Iterator[ScoredImage]:
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

    def _on_test_photos(self, name: str, columns: list[str]) -> Table:
        table = read_table(self.folder / "summary" / f"{name}.csv", columns)
        return table[table["split"] != VALIDATION]

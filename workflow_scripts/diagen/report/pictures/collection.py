"""All synthetic images of an experiment, with their guide images and weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from diagen.cells import Cell
from diagen.data.shots_file import read_shots
from diagen.files.results_layout import cell_folder
from diagen.files.tables import DamagedFile
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.report.labels import label
from diagen.report.pictures.settings import PicturesSettings
from diagen.weighting.weights_file import WeightRow, read_weights


@dataclass(frozen=True)
class Guide:
    """A guide image: the `number`-th (from 0) of its class in a cell, and its file with the hash of its content."""

    cell: Cell
    class_name: str
    number: int
    path: Path
    sha256: str


@dataclass(frozen=True)
class Picture:
    """A synthetic image: its generator, its row of the manifest, and what each weighting says about it."""

    guide: Guide
    generator: str
    row: ManifestRow
    weights: dict[str, WeightRow]


def collect(settings: PicturesSettings, results: Path) -> list[Picture]:
    """Read the synthetic images of all cells: sorted by cell, class and guide image, then generator and number.

    Images of a guide image stand together, so that its thumbnails share a sheet. Raises `DamagedFile`.
    """
    pictures: list[Picture] = []
    for place in product(settings.datasets, settings.seeds, settings.shots):
        cell = Cell(*place)
        guides = _guides(results, cell)
        of_cell = [
            picture
            for generator in settings.generators
            for picture in _pictures(settings, cell_folder(results, cell), generator, guides)
        ]
        pictures += sorted(of_cell, key=lambda picture: (picture.guide.class_name, picture.guide.number))
    return pictures


def _guides(results: Path, cell: Cell) -> dict[tuple[str, int], Guide]:
    shots = read_shots(cell_folder(results, cell) / "shots.csv")
    return {
        (shot.class_name, shot.guide): Guide(cell, shot.class_name, shot.guide, Path(shot.path), shot.sha256)
        for shot in shots
        if shot.guide is not None
    }


def _pictures(
    settings: PicturesSettings, folder: Path, generator: str, guides: dict[tuple[str, int], Guide]
) -> Iterator[Picture]:
    manifest = folder / "synthetic" / generator / "manifest.csv"
    weightings = dict.fromkeys(name for used, name in settings.methods.values() if used == generator and name)
    tables = {
        name: {row.file_name: row for row in read_weights(manifest.parent / "weights" / f"{name}.csv")}
        for name in weightings
    }
    for row in read_manifest(manifest):
        if (row.class_name, row.guide) not in guides:
            raise DamagedFile(manifest, f"shots.csv has no guide image {row.guide} of class `{row.class_name}`")
        weights = {name: table[row.file_name] for name, table in tables.items() if row.file_name in table}
        yield Picture(guides[row.class_name, row.guide], generator, row, weights)


def first_cell(settings: PicturesSettings, dataset: str) -> Cell:
    """The cell that stands for a dataset where one is shown: the first seed and the most guide images."""
    return Cell(dataset, settings.seeds[0], max(settings.shots))


def shown_method(settings: PicturesSettings) -> str:
    """The method that stands for the experiment: the primary one, or the last one with images."""
    primary = settings.primary
    return primary if primary in settings.methods else list(settings.methods)[-1]


def used_by(settings: PicturesSettings, generator: str) -> str:
    """The names of the methods that draw from a generator's images."""
    return ", ".join(label(name) for name, (used, _) in settings.methods.items() if used == generator)

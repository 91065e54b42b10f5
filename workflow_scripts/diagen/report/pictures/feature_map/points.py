"""The real and synthetic images on the map of a dataset, with their features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagen.data.images_file import read_images
from diagen.data.shots_file import read_shots
from diagen.errors import InputError, delete_and_rerun
from diagen.files.results_layout import cell_folder
from diagen.files.tables import read_features
from diagen.generation.manifest_file import read_manifest
from diagen.report.labels import label
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import first_cell, shown_method
from diagen.report.pictures.settings import PicturesSettings
from diagen.seeds import stable_seed

REAL, UNCOMMON, COMPARED, SHOWN, GUIDE = range(5)
"""Kinds of points, in the order in which they are drawn."""
BASELINE = "da_fusion"  # the paper's, on the map if the experiment has a generator of its name
MOST = 4_000  # points on a map: beyond, it is slow to compute and too dense to read
NEIGHBORS_OF = 500  # real photos of a class whose nearest other photo is looked for


@dataclass(frozen=True)
class Point:
    """An image on the map: its kind, class, file, and what is said about it."""

    kind: int
    class_name: str
    path: Path
    text: str


@dataclass(frozen=True)
class Points:
    """The images of a dataset and their features [n, D], float32, and the names of the kinds that occur."""

    points: list[Point]
    features: NDArray[np.float32]
    names: dict[int, str]

    def of(self, rows: Sequence[int]) -> "Points":
        """Some of the points."""
        return Points([self.points[row] for row in rows], self.features[list(rows)], self.names)


def read_points(settings: PicturesSettings, results: Path, store: Path, dataset: str) -> Points:
    """All real photos of a dataset, and the synthetic images of one cell of the shown generator and of DA-Fusion.

    Raises `InputError` if a table is damaged or does not fit its features.
    """
    folder = cell_folder(results, first_cell(settings, dataset))
    guides = {shot.path for shot in read_shots(folder / "shots.csv") if shot.guide is not None}
    points: list[Point] = []
    for row in read_images(results / dataset / "images.csv"):
        kind = GUIDE if row.path in guides else UNCOMMON if row.split == "test_uncommon" else REAL
        text = "guide image" if kind == GUIDE else f"real photo, {label(row.split)}"
        points.append(Point(kind, row.class_name, Path(row.path), text))
    features = [_features(results / dataset, "images.csv", len(points))]
    names = {REAL: "Real photos", UNCOMMON: f"Real photos, {label('test_uncommon')}", GUIDE: "Guide images"}
    for kind, generator, name in _sets(settings):
        manifest = read_manifest(folder / "synthetic" / generator / "manifest.csv")
        for image in manifest:
            noise = f", noise {image.noise_level:g}" if image.noise_level else ""
            text = f"{name}: {spaced(image.prompt)}{noise}"
            points.append(Point(kind, image.class_name, store / image.file_name, text))
        place = folder / "synthetic" / generator
        features.append(_features(place, "manifest.csv", len(manifest)))
        if features[-1].shape[1] != features[0].shape[1]:
            raise InputError(
                f"{place / 'features.npy'}: features of {features[-1].shape[1]} numbers, but those of real photos have "
                f"{features[0].shape[1]}. {delete_and_rerun(place / 'features.npy')}"
            )
        names[kind] = name
    present = {point.kind for point in points}
    return Points(points, np.concatenate(features), {kind: name for kind, name in names.items() if kind in present})


def _sets(settings: PicturesSettings) -> Iterator[tuple[int, str, str]]:
    """Kind, generator and name of the synthetic images on the map."""
    method = shown_method(settings)
    generator, _ = settings.methods[method]
    if BASELINE in settings.generators and generator != BASELINE:
        yield COMPARED, BASELINE, label(BASELINE)
    yield SHOWN, generator, label(method)


def _features(folder: Path, table: str, images: int) -> NDArray[np.float32]:
    path = folder / "features.npy"
    features = read_features(path)
    if len(features) != images:
        raise InputError(
            f"{path}: features of {len(features)} images, but {table} lists {images}. {delete_and_rerun(path)}"
        )
    return features


def sample(points: Sequence[Point], most: int, *identity: str) -> list[int]:
    """The rows of at most about `most` points: all guide images, and the same share of each other kind and class.

    At least one image of each kind and class is drawn, by a seed from `identity`.
    """
    strata: dict[tuple[int, str], list[int]] = {}
    for row, point in enumerate(points):
        strata.setdefault((point.kind, point.class_name), []).append(row)
    guides = sum(len(rows) for (kind, _), rows in strata.items() if kind == GUIDE)
    share = max(0.0, min(1.0, (most - guides) / max(1, len(points) - guides)))
    chosen: list[int] = []
    for (kind, class_name), rows in strata.items():
        drawn = len(rows) if kind == GUIDE else max(1, int(share * len(rows)))
        generator = np.random.default_rng(stable_seed("feature map", *identity, kind, class_name))
        chosen += [rows[place] for place in generator.permutation(len(rows))[:drawn]]
    return sorted(chosen)


def nearest_real(all_points: Points) -> dict[str, dict[int, float]]:
    """By class and kind, the mean distance (1 - cosine, in [0, 2]) of images to the nearest real photo of their class.

    Kinds are those of synthetic images, and `REAL`: that of real photos, guide images among them, to the nearest other
    one, over at most `NEIGHBORS_OF` photos of a class. Pairs without a photo to compare with are left out.
    """
    norms = np.linalg.norm(all_points.features, axis=1, keepdims=True)
    unit = all_points.features / np.maximum(norms, np.finfo(np.float32).tiny)
    rows: dict[tuple[str, int], list[int]] = {}
    for row, point in enumerate(all_points.points):
        kind = point.kind if point.kind in (COMPARED, SHOWN) else REAL
        rows.setdefault((point.class_name, kind), []).append(row)
    found: dict[str, dict[int, float]] = {}
    for (class_name, kind), queries in sorted(rows.items()):
        real = rows.get((class_name, REAL), [])
        if len(real) < (2 if kind == REAL else 1):
            continue
        if kind == REAL:
            queries = queries[:: -(-len(queries) // NEIGHBORS_OF)]
        cosines = unit[queries] @ unit[real].T
        if kind == REAL:
            cosines[np.array(queries)[:, None] == np.array(real)] = -2
        found.setdefault(class_name, {})[kind] = float(1 - cosines.max(axis=1).mean())
    return found

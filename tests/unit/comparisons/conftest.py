"""Predictions of a small experiment, as its cells hold them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

COLUMNS = ("split", "path", "class", "predicted", "probability")
CLASSES = ("car", "NA", "star")
METHODS = ("standard", "diagen", "logistic_regression")


def write_cell(folder: Path, rows: Sequence[tuple[str, str, str, str]]) -> Path:
    """Write rows of split, path, class and predicted class as the `predictions.csv` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "predictions.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*row, 0.5) for row in rows)
    return folder / "predictions.csv"


@pytest.fixture
def experiment(tmp_path: Path) -> Callable[..., Path]:
    """Write all predictions of an experiment; class `car` has 4 test images, `NA` 3 and `star` 1."""

    def write(seeds: Sequence[int] = (0, 1), shots: Sequence[int] = (2, 4), rate: float = 0.6) -> Path:
        random = np.random.default_rng(0)
        for seed in seeds:
            for number in shots:
                for method in METHODS:
                    rows = [
                        (split, f"photos/{split}/{name}/{image}, it.jpg", name, name if right else "star")
                        for split in ("val", "test", "test_uncommon")
                        for name, count in zip(CLASSES, (4, 3, 1), strict=True)
                        for image, right in enumerate(random.random(count) < rate)
                    ]
                    write_cell(tmp_path / f"world/seed{seed}/shots{number}/downstream/{method}", rows)
        return tmp_path

    return write

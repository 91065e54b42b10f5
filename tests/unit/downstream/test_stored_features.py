"""Features of the evaluated photos: computed once for all methods and cells that share them, with the same results."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from diagen.cells import Cell
from diagen.classifiers.cell_images import arrange
from diagen.config.blocks import Downstream
from diagen.config.models import BackboneModel
from diagen.config.programs import TrainDownstreamSettings
from diagen.data.shots_file import Shot
from diagen.downstream import stored_features, training
from diagen.downstream.training import Synthetic, Tested, train_downstream
from diagen.errors import InputError
from diagen.models.backbones import load_backbone
from diagen.models.classifier_body import Backbone

CPU = torch.device("cpu")
CLASSES = ("boat", "car")
COUNTS = {"guide": 2, "val": 3, "test": 4, "test_uncommon": 2}
RECIPE = Downstream(epochs=2, iterations=3, batch=4, learning_rate=0.05, image_size=32)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> list[Shot]:
    folder, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    rows = []
    for role, count in COUNTS.items():
        for name in CLASSES:
            for number in range(count):
                path = folder / f"{role} {name} {number}.png"
                Image.fromarray(generator.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(path)
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append(Shot(role, name, number if role == "guide" else None, str(path), digest))
    return rows


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of photos whose features are computed for the store, in the order of the calls."""
    counts: list[int] = []
    compute = stored_features.plain_features

    def counted(backbone: Backbone, paths: list[str], **options: object) -> Tensor:
        counts.append(len(paths))
        return compute(backbone, paths, **options)

    monkeypatch.setattr(stored_features, "plain_features", counted)
    return counts


@pytest.fixture
def train(stand_ins: Path) -> Callable[..., Tested]:
    source = BackboneModel(path=str(stand_ins / "resnet"))

    def run(rows: list[Shot], store: Path, recipe: Downstream = RECIPE, micro_batch: int = 4, shots: int = 2) -> Tested:
        settings = TrainDownstreamSettings(method="any", downstream=recipe, backbone=source, synthetic_probability=0.0)
        return train_downstream(
            load_backbone(source, CPU, batch_norm=recipe.batch_norm), arrange(rows, Path("shots.csv")),
            Synthetic([], None, store), settings, Cell("world", 0, shots), micro_batch=micro_batch, device=CPU,
        )  # fmt: skip

    return run


def test_methods_and_cells_share_the_evaluated_photos(
    shots: list[Shot], tmp_path: Path, train: Callable[..., Tested], computed: list[int]
) -> None:
    first = train(shots, tmp_path / "store")
    assert sorted(computed) == [4, 6, 8], "each split once"
    others = {"augmentation": "randaugment"}, {"learning_rate": 0.01}, {"batch": 3}
    for changes in others:
        train(shots, tmp_path / "store", RECIPE.model_copy(update=changes))
    one_shot = [row for row in shots if row.guide in (None, 0)]
    train(one_shot, tmp_path / "store", shots=1)
    assert len(computed) == 3
    again, alone = train(shots, tmp_path / "store"), train(shots, tmp_path / "another")
    for result in (again, alone):
        assert result.metrics == first.metrics and result.predictions == first.predictions
        assert result.trained.history == first.trained.history


def test_features_are_computed_again_when_something_that_decides_them_differs(
    shots: list[Shot],
    tmp_path: Path,
    train: Callable[..., Tested],
    computed: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = tmp_path / "store"
    train(shots, store)
    computed.clear()
    Image.new("RGB", (36, 40)).save(black := tmp_path / "black.png")
    digest = hashlib.sha256(black.read_bytes()).hexdigest()
    one = next(row for row in shots if row.path.endswith("test car 0.png"))
    other = [replace(row, path=str(black), sha256=digest) if row is one else row for row in shots]
    train(other, store)
    assert computed == [8], "one photo of this split has changed"
    computed.clear()
    train(shots, store, RECIPE.model_copy(update={"image_size": 40}))
    assert len(computed) == 3
    train(shots, store, micro_batch=8)
    assert len(computed) == 6, "rounding differs"
    monkeypatch.setattr(stored_features, "fingerprint", lambda *_: "other code")
    train(shots, store)
    monkeypatch.setattr(stored_features, "checksum", lambda *_: "other weights")
    train(shots, store)
    assert len(computed) == 12


def test_a_damaged_file_is_computed_again(
    shots: list[Shot], tmp_path: Path, train: Callable[..., Tested], computed: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    first = train(shots, tmp_path)
    for file in (tmp_path / "features").iterdir():
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    assert train(shots, tmp_path).predictions == first.predictions and len(computed) == 6
    assert "damaged" in capsys.readouterr().err
    train(shots, tmp_path)
    assert len(computed) == 6


def test_a_replaced_photo_is_not_stored_as_the_indexed_one(
    shots: list[Shot], tmp_path: Path, train: Callable[..., Tested]
) -> None:
    replaced = tmp_path / "replaced.png"
    Image.new("RGB", (36, 40)).save(replaced)
    rows = [replace(row, path=str(replaced)) if row.path.endswith("test car 0.png") else row for row in shots]
    with pytest.raises(InputError, match=r"replaced\.png: the photo changed after it was indexed\. Restore it"):
        train(rows, tmp_path / "store")


def test_batch_norm_in_training_mode_stores_nothing(
    shots: list[Shot], tmp_path: Path, train: Callable[..., Tested], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its features change with the statistics of each epoch."""
    monkeypatch.setattr(training, "stored_features", pytest.fail)
    tested = train(shots, tmp_path, RECIPE.model_copy(update={"batch_norm": "training"}))
    assert tested.trained.head.statistics and not (tmp_path / "features").exists()

"""The classifiers' programs end to end: from shots to weights and metrics, with several weightings and recipes."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import score_images
import train_downstream
import train_guide_classifier
from diagen.classifiers import batch_norm
from diagen.classifiers.augmentation import AUGMENTATIONS, decode, plain
from diagen.classifiers.trained_file import read_head
from diagen.config.models import BackboneModel
from diagen.data.shots_file import Shot, read_shots, write_shots
from diagen.errors import InputError
from diagen.generation.manifest_file import ManifestRow, read_manifest, write_manifest
from diagen.models.backbones import load_backbone
from diagen.seeds import stable_seed
from diagen.weighting.weights_file import WeightRow, read_weights

CPU = torch.device("cpu")
CLASSES = ("boat", "red_car")
COLORS = {"boat": (30, 60, 220), "red_car": (220, 40, 30)}


@pytest.fixture(scope="module")
def cell_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell of two classes that differ in color; uncommon images exist for one class only."""
    folder = tmp_path_factory.mktemp("cell")
    rs = np.random.RandomState(0)
    rows = []
    for role, counts in {"guide": (2, 2), "val": (3, 5), "test": (4, 4), "test_uncommon": (3, 0)}.items():
        for name, count in zip(CLASSES, counts, strict=True):
            for number in range(count):
                path = folder / f"{role}_{name}_{number}.png"
                save(path, name, rs)
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append(Shot(role, name, number if role == "guide" else None, path.as_posix(), digest))
    write_shots(rows, folder / "shots.csv")
    return folder / "shots.csv"


def save(path: Path, name: str, rs: np.random.RandomState) -> None:
    pixels = np.clip(np.array(COLORS[name]) + rs.normal(0, 40, (36, 40, 3)), 0, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def call(monkeypatch: pytest.MonkeyPatch, program: object, *arguments: object) -> None:
    monkeypatch.setattr(
        "sys.argv", ["program", *map(str, arguments), "--device", "cpu", "--torch-threads", "1", "--micro-batch", "8"]
    )
    program.main()


def test_programs_from_shots_to_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stand_ins: Path, cell_file: Path
) -> None:
    rs = np.random.RandomState(7)
    rows = []
    for name in CLASSES:
        for guide in range(2):
            for number in range(3):
                file_name = f"images/{name}_{guide}_{number}.png"
                shown = (
                    CLASSES[1 - CLASSES.index(name)] if number == 2 else name
                )  # the last image shows the other class
                save(tmp_path / "store" / file_name, shown, rs)
                rows.append(ManifestRow(file_name, name, guide, number, "a photo", 0.0, 1, 2, "0" * 64, 8))
    write_manifest(rows, tmp_path / "manifest.csv")
    backbone = {"path": str(stand_ins / "resnet")}
    guide = {"epochs": 6, "iterations": 10, "patience": 6, "batch": 8, "learning_rate": 0.05}
    cell_arguments = ("--dataset", "world", "--seed", 0, "--shots", 2)
    call(
        monkeypatch, train_guide_classifier, cell_file, *cell_arguments, "--output", tmp_path / "guide",
        "--store", tmp_path / "store",
        "--settings", json.dumps({"guide_classifier": guide, "backbone": backbone, "image_size": 32}),
    )  # fmt: skip
    calibration = json.loads((tmp_path / "guide" / "calibration.json").read_text())
    assert calibration["classes"] == list(CLASSES) and calibration["val"]["n_images"] == 8
    assert calibration["val"]["accuracy_before"] == calibration["val"]["accuracy_after"]

    scoring = {"transform": "confidence", "normalize": "guide_image", "backbone": backbone, "image_size": 32}
    call(
        monkeypatch, score_images, tmp_path / "manifest.csv", tmp_path / "guide", "--store", tmp_path / "store",
        "--output", tmp_path / "weights.csv", "--settings", json.dumps(scoring),
    )  # fmt: skip
    weights = read_weights(tmp_path / "weights.csv")
    assert [row.file_name for row in weights] == [row.file_name for row in rows]
    assert all(sum(row.weight for row in weights[start : start + 3]) == pytest.approx(1) for start in (0, 3, 6, 9))
    assert {row.temperature for row in weights} == {calibration["temperature"]}
    wrong = np.mean([row.confidence for row in weights[2::3]])
    assert wrong < 0.5 < np.mean([row.confidence for row in weights[0::3]])

    downstream = {"epochs": 3, "iterations": 10, "batch": 8, "learning_rate": 0.05, "image_size": 32}
    settings = {
        "method": "diagen", "downstream": downstream, "backbone": backbone,
        "synthetic_probability": 0.7,
    }  # fmt: skip
    arguments = (
        cell_file,
        "--manifest",
        tmp_path / "manifest.csv",
        "--weights",
        tmp_path / "weights.csv",
        *cell_arguments,
    )
    for output in ("once", "twice"):
        call(
            monkeypatch, train_downstream, *arguments, "--store", tmp_path / "store",
            "--settings", json.dumps(settings), "--output", tmp_path / output,
        )  # fmt: skip
    for name in ("metrics.json", "history.csv", "predictions.csv", "head.safetensors"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()
    metrics = json.loads((tmp_path / "once" / "metrics.json").read_text())
    assert metrics["splits"]["test"]["accuracy"] > 0.8 and metrics["splits"]["val"]["n_images"] == 8
    assert metrics["classes_left_out"] == {"val": [], "test": [], "test_uncommon": ["red_car"]}
    history = list(csv.DictReader((tmp_path / "once" / "history.csv").open()))
    best = history[metrics["best_epoch"] - 1]
    assert float(best["val_accuracy"]) == metrics["splits"]["val"]["accuracy"], (
        "the tested layer is that of the best epoch"
    )
    predictions = list(csv.DictReader((tmp_path / "once" / "predictions.csv").open()))
    for split, result in metrics["splits"].items():
        found = [row for row in predictions if row["split"] == split]
        assert len(found) == result["n_images"]
        per_class = {
            name: np.mean([row["predicted"] == name for row in found if row["class"] == name])
            for name in {row["class"] for row in found}
        }
        assert {name: one["accuracy"] for name, one in result["per_class"].items()} == pytest.approx(per_class)
        assert result["accuracy"] == pytest.approx(np.mean(list(per_class.values())))


@pytest.fixture(scope="module")
def guide_folder(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path, cell_file: Path) -> Path:
    """A synthetic set, `manifest.csv` and `store/`, and guide classifiers of the paper and of the published code."""
    folder = tmp_path_factory.mktemp("guides")
    rs = np.random.RandomState(7)
    rows = []
    for name in CLASSES:
        for guide in range(2):
            for number in range(3):
                file_name = f"images/{name}_{guide}_{number}.png"
                shown = (
                    CLASSES[1 - CLASSES.index(name)] if number == 2 or guide == 1 else name
                )  # mostly the other class
                save(folder / "store" / file_name, shown, rs)
                rows.append(
                    ManifestRow(file_name, name, guide, number, "a photo", 0.0, 1, 10 * guide + number, "0" * 64, 8)
                )
    write_manifest(rows, folder / "manifest.csv")
    published = {"batch_norm": "training", "selection": "last", "validation": "resampled"}
    with pytest.MonkeyPatch.context() as patch:
        for kind, options in {"paper": {}, "published_code": published}.items():
            guide = {"epochs": 3, "iterations": 10, "batch": 8, "learning_rate": 0.05, **options}
            call(
                patch, train_guide_classifier, cell_file, "--seed", 0, "--shots", 2, "--dataset", "world",
                "--store", folder / "store", "--output", folder / kind, "--settings",
                json.dumps(
                    {"guide_classifier": guide, "backbone": {"path": str(stand_ins / "resnet")}, "image_size": 32}
                ),
            )  # fmt: skip
    return folder


def score(folder: Path, stand_ins: Path, guide: str = "paper", **options: object) -> list[WeightRow]:
    settings = {"transform": "confidence", "normalize": "guide_image", "image_size": 32} | options
    settings["backbone"] = {"path": str(stand_ins / "resnet")}
    with pytest.MonkeyPatch.context() as patch:
        call(
            patch, score_images, folder / "manifest.csv", folder / guide, "--store", folder / "store",
            "--output", folder / "weights.csv", "--settings", json.dumps(settings),
        )  # fmt: skip
    return read_weights(folder / "weights.csv")


def test_a_manifest_without_images_is_named(guide_folder: Path, stand_ins: Path, tmp_path: Path) -> None:
    for part in ("paper", "store"):
        (tmp_path / part).symlink_to(guide_folder / part)
    write_manifest([], tmp_path / "manifest.csv")
    with pytest.raises(InputError, match="manifest.csv: no images. Delete the file"):
        score(tmp_path, stand_ins)


def test_weightings_side_by_side(guide_folder: Path, stand_ins: Path) -> None:
    q = np.array([row.confidence for row in score(guide_folder, stand_ins)]).reshape(2, 2, 3)
    assert q.min() < 0.4 and q.max() > 0.5, "otherwise this test checks nothing"
    threshold = float(np.sort(q[0, 0])[1])
    values = {
        "confidence": q,
        "doubled": np.minimum(1, 2 * q),
        "threshold": (q >= threshold).astype(float),
        "none": np.ones_like(q),
    }
    for transform, value in values.items():
        extra = {"threshold": threshold} if transform == "threshold" else {}
        for normalize, axes in {"guide_image": (2,), "class": (1, 2)}.items():
            rows = score(guide_folder, stand_ins, transform=transform, normalize=normalize, **extra)
            totals = value.sum(axes, keepdims=True)
            members = np.prod([value.shape[axis] for axis in axes])
            expected = np.divide(value, totals, out=np.full_like(value, 1 / members), where=totals > 0)
            assert [row.weight for row in rows] == pytest.approx(expected.ravel(), abs=1e-12), (transform, normalize)
            assert [row.confidence for row in rows] == q.ravel().tolist(), "the table holds the unweighted confidence"


def test_confidence_over_views(guide_folder: Path, stand_ins: Path) -> None:
    """The mean over the views' confidences; a view depends only on the image and the view's number."""
    head, backbone = (
        read_head(guide_folder / "paper" / "head.safetensors"),
        BackboneModel(path=str(stand_ins / "resnet")),
    )
    model = load_backbone(backbone, CPU)
    rows = score(guide_folder, stand_ins, views=3, augmentation="standard_no_crop")
    augmentation = AUGMENTATIONS["standard_no_crop"]
    manifest = read_manifest(guide_folder / "manifest.csv")
    for row, image in zip(rows, manifest, strict=True):
        confidences = []
        for view in range(3):
            generator = torch.Generator().manual_seed(stable_seed(image.image_seed, "view", view))
            pixels = augmentation.apply(
                [decode(guide_folder / "store" / row.file_name)], torch.rand(1, 2, generator=generator), 32
            )
            probabilities = torch.softmax(head.logits(model(pixels)).double() / row.temperature, 1)
            confidences.append(probabilities[0, CLASSES.index(image.class_name)].item())
        assert row.confidence == pytest.approx(np.mean(confidences), rel=1e-4)
    plain = [row.confidence for row in score(guide_folder, stand_ins)]
    assert [row.confidence for row in rows] != pytest.approx(plain, rel=1e-4)


def test_images_are_scored_with_the_guide_classifiers_statistics(guide_folder: Path, stand_ins: Path) -> None:
    head = read_head(guide_folder / "published_code" / "head.safetensors")
    model = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU, batch_norm="training")
    pixels = plain([decode(row) for row in sorted((guide_folder / "store" / "images").iterdir())], 32)
    unchanged = model(pixels)
    batch_norm.set_statistics(model, head.statistics)
    assert not torch.allclose(unchanged, model(pixels), rtol=1e-2)
    rows = sorted(score(guide_folder, stand_ins, guide="published_code"), key=lambda row: row.file_name)
    probabilities = torch.softmax(head.logits(model(pixels)).double() / rows[0].temperature, 1)
    labels = [CLASSES.index(row.file_name.removeprefix("images/").rsplit("_", 2)[0]) for row in rows]
    expected = [probabilities[row, label].item() for row, label in enumerate(labels)]
    assert [row.confidence for row in rows] == pytest.approx(expected, rel=1e-4)
    calibration = json.loads((guide_folder / "published_code" / "calibration.json").read_text())
    draws = sum(one["count"] for one in calibration["reliability"]["after"])
    assert (draws, calibration["val"]["n_images"]) == (10 * 8, 8), "validation draws, with replacement"
    history = list(csv.DictReader((guide_folder / "published_code" / "history.csv").open()))
    assert len(history) == 3 and len({row["val_loss"] for row in history}) == 3


def downstream(folder: Path, stand_ins: Path, shots: Path, output: Path, probability: float, **changes: object) -> dict:
    """Train on the real images of `shots` and the synthetic ones of `folder`; the content of metrics.json."""
    recipe = {"epochs": 2, "iterations": 10, "batch": 8, "learning_rate": 0.05, "image_size": 32} | changes
    settings = {
        "method": "any", "downstream": recipe, "synthetic_probability": probability,
        "backbone": {"path": str(stand_ins / "resnet")},
    }  # fmt: skip
    synthetic = ("--manifest", folder / "manifest.csv") if probability else ()
    with pytest.MonkeyPatch.context() as patch:
        call(
            patch, train_downstream, shots, *synthetic, "--dataset", "world", "--seed", 0, "--shots", 2,
            "--store", folder / "store", "--settings", json.dumps(settings), "--output", output,
        )  # fmt: skip
    return json.loads((output / "metrics.json").read_text())


def test_synthetic_only_training_ignores_the_guide_images(
    guide_folder: Path, stand_ins: Path, cell_file: Path, tmp_path: Path
) -> None:
    """With p = 1 (classification accuracy score), other pixels in the guide images change nothing."""
    rows = []
    for row in read_shots(cell_file):
        if row.role == "guide":
            Image.new("RGB", (40, 36), (0, 255, 0)).save(tmp_path / Path(row.path).name)
            row = replace(row, path=str(tmp_path / Path(row.path).name))
        rows.append(row)
    write_shots(rows, tmp_path / "shots.csv")
    found = [
        downstream(guide_folder, stand_ins, shots, tmp_path / name, probability)
        for name, shots, probability in (
            ("real", cell_file, 1.0), ("green", tmp_path / "shots.csv", 1.0), ("mixed", tmp_path / "shots.csv", 0.5)
        )
    ]  # fmt: skip
    heads = [(tmp_path / name / "head.safetensors").read_bytes() for name in ("real", "green", "mixed")]
    assert heads[0] == heads[1] != heads[2]
    assert found[0]["splits"] == found[1]["splits"] and set(found[0]["splits"]) == {"val", "test", "test_uncommon"}


@pytest.mark.parametrize(
    "options",
    [
        {"augmentation": "randaugment"},
        {"augmentation": "cutmix"},
        {"augmentation": "standard_no_crop"},
        {"batch_norm": "training", "selection": "last", "batch": 4},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_recipes_run_in_the_same_protocol(
    options: dict, guide_folder: Path, stand_ins: Path, cell_file: Path, tmp_path: Path
) -> None:
    for output in ("once", "twice"):
        metrics = downstream(guide_folder, stand_ins, cell_file, tmp_path / output, 0.0, **options)
    plain = downstream(guide_folder, stand_ins, cell_file, tmp_path / "plain", 0.0)
    for name in ("metrics.json", "history.csv", "predictions.csv", "head.safetensors"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()
    assert metrics.keys() == plain.keys() and metrics["splits"].keys() == plain["splits"].keys()
    assert (tmp_path / "once" / "head.safetensors").read_bytes() != (
        tmp_path / "plain" / "head.safetensors"
    ).read_bytes()
    if "selection" in options:
        assert metrics["best_epoch"] == 2
        rows = list(csv.DictReader((tmp_path / "once" / "history.csv").open()))
        assert float(rows[-1]["val_accuracy"]) == metrics["splits"]["val"]["accuracy"], (
            "with the statistics of the last epoch"
        )


def test_a_cell_without_validation_images(
    guide_folder: Path, stand_ins: Path, cell_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training keeps the last epoch, the temperature is 1, and weights follow from it."""
    for part in ("manifest.csv", "store"):
        (tmp_path / part).symlink_to(guide_folder / part)
    shots = tmp_path / "shots.csv"
    write_shots([row for row in read_shots(cell_file) if row.role != "val"], shots)
    metrics = downstream(guide_folder, stand_ins, shots, tmp_path / "down", 0.5, selection="last")
    assert set(metrics["splits"]) == {"test", "test_uncommon"} and metrics["best_epoch"] == 2
    rows = list(csv.DictReader((tmp_path / "down" / "history.csv").open()))
    assert [(row["val_loss"], row["val_accuracy"]) for row in rows] == [("", "")] * 2
    with pytest.raises(InputError, match="no val images, by which `selection: best`"):
        downstream(guide_folder, stand_ins, shots, tmp_path / "best", 0.5)

    guide = {"epochs": 8, "iterations": 2, "batch": 4, "patience": 1, "selection": "last"}
    settings = {"guide_classifier": guide, "backbone": {"path": str(stand_ins / "resnet")}, "image_size": 32}
    with pytest.MonkeyPatch.context() as patch:
        call(
            patch, train_guide_classifier, shots, "--seed", 0, "--shots", 2, "--dataset", "world",
            "--store", tmp_path / "store", "--output", tmp_path / "guide", "--settings", json.dumps(settings),
        )  # fmt: skip
    assert "no photo of some class validates: the temperature stays 1" in capsys.readouterr().err
    assert len(list(csv.DictReader((tmp_path / "guide" / "history.csv").open()))) == 8, "no early stopping"
    assert {row.temperature for row in score(tmp_path, stand_ins, guide="guide")} == {1.0}

"""Classifiers on real photos alone, against scikit-learn without shortcuts; with one photo per class; the program."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from diagen.data.shots_file import Shot, write_shots
from diagen.downstream import baselines
from diagen.downstream.baselines import DEFAULT_STRENGTH, STRENGTHS, logistic_regression, nearest_class_mean
from diagen.files.json_files import read_metrics
from diagen.files.made_with import read_made_with
from diagen.files.tables import read_rows


def photos(counts, width=40, seed=0, distance=1.0):
    """Features `[n, width]` of Gaussian classes far from the origin, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    means = 5 + distance * random.normal(size=(len(counts), width))
    features = means[labels] + random.normal(size=(len(labels), width))
    return torch.tensor(features, dtype=torch.float32), torch.tensor(labels)


def names(counts):
    return [f"class {number}" for number in range(len(counts))]


@pytest.mark.parametrize("counts", [(4, 4, 4), (1, 5, 3), (6, 2), (1, 1, 1, 1)])
def test_the_regression_is_that_of_scikit_learn(counts):
    """In the whole space, with the penalty on features of the same scale."""
    features, labels = photos(counts)
    head, strength = logistic_regression(features, labels, names(counts))
    centered = features.double() - features.double().mean(dim=0)
    scaled = (centered / centered.square().sum(dim=1).mean().sqrt()).numpy()
    model = LogisticRegression(C=strength, class_weight="balanced", tol=1e-10, max_iter=100_000).fit(scaled, labels)
    logits = head.logits(features)
    found = torch.softmax(logits, dim=1).numpy()
    assert found == pytest.approx(model.predict_proba(scaled), abs=2e-3)
    assert head.classes == tuple(names(counts)) and head.weight.dtype == torch.float32


def test_the_features_scale_changes_nothing():
    features, labels = photos((3, 3, 3))
    head, strength = logistic_regression(features, labels, names("abc"))
    other, same = logistic_regression(100 * features - 7, labels, names("abc"))
    assert same == strength
    assert other.logits(100 * features - 7) == pytest.approx(head.logits(features), abs=1e-3)


@pytest.mark.parametrize("counts", [(8, 8, 8), (2, 5, 1), (2, 2)])
def test_the_penalty_is_chosen_by_cross_validation(counts):
    """Photos of a class take turns in the folds; a class with one photo is never left out."""
    features, labels = photos(counts, distance=0.6, seed=1)
    _, strength = logistic_regression(features, labels, names(counts))
    centered = features.double() - features.double().mean(dim=0)
    scaled = (centered / centered.square().sum(dim=1).mean().sqrt()).numpy()
    turns = np.concatenate([np.arange(count) if count > 1 else np.array([-1]) for count in counts])
    folds = np.where(turns < 0, -1, turns % min(5, max(counts)))
    losses = []
    for candidate in STRENGTHS:
        of_fold = []
        for fold in range(folds.max() + 1):
            kept = folds != fold
            model = LogisticRegression(C=candidate, class_weight="balanced", tol=1e-8, max_iter=100_000)
            model.fit(scaled[kept], labels[kept])
            chances = model.predict_proba(scaled[~kept])
            own = labels[~kept].numpy()
            of_fold.append(np.mean([-np.log(chances[own == label, label]).mean() for label in np.unique(own)]))
        losses.append(np.mean(of_fold))
    assert strength == STRENGTHS[int(np.argmin(losses))]


def test_one_photo_per_class_leaves_nothing_to_choose_by():
    features, labels = photos((1, 1, 1))
    head, strength = logistic_regression(features, labels, names("abc"))
    assert strength == DEFAULT_STRENGTH
    assert head.logits(features).argmax(dim=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("counts", [(4, 4, 4), (1, 5, 3), (6, 2), (1, 1)])
def test_the_nearest_mean_is_that_of_scikit_learn(counts):
    features, labels = photos(counts, distance=0.5)
    others, _ = photos((30, 30), distance=0.5, seed=3)
    head = nearest_class_mean(features, labels, names(counts))
    expected = NearestCentroid().fit(features.numpy(), labels.numpy()).predict(others.numpy())
    assert head.logits(others).argmax(dim=1).tolist() == expected.tolist()


def test_equal_photos_of_all_classes_are_no_division_by_zero():
    features, labels = torch.ones(4, 3), torch.tensor([0, 0, 1, 1])
    for head in (nearest_class_mean(features, labels, "ab"), logistic_regression(features, labels, "ab")[0]):
        assert torch.softmax(head.logits(features), dim=1) == pytest.approx(torch.full((4, 2), 0.5), abs=1e-6)


def test_more_photos_than_features():
    features, labels = photos((20, 20, 20), width=2)
    head, _ = logistic_regression(features, labels, names("abc"))
    assert head.weight.shape == (3, 2) and head.weight.isfinite().all()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    random, rows = np.random.default_rng(0), []
    for role, counts in {"guide": (2, 1), "val": (1, 1), "test": (3, 2), "test_uncommon": (0, 2)}.items():
        for name, count in zip(("boat", "car"), counts, strict=True):
            for number in range(count):
                path = tmp_path / f"{role} {name} {number}.png"
                pixels = random.integers(0, 128, (36, 40, 3)) + (100 if name == "car" else 0)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                rows.append(Shot(role, name, number if role == "guide" else None, str(path), digest))
    write_shots(rows, tmp_path / "shots.csv")
    return tmp_path / "shots.csv"


def test_the_program(table, stand_ins, tmp_path):
    settings = json.dumps({"backbone": {"path": str(stand_ins / "resnet")}, "image_size": 32})
    command = [sys.executable, "workflow_scripts/fit_baselines.py", str(table), "--settings", settings]
    command += ["--dataset", "photos", "--seed", "7", "--shots", "2", "--store", str(tmp_path / "store")]
    command += ["--device", "cpu", "--torch-threads", "1", "--output", str(tmp_path / "downstream")]
    subprocess.run(command, check=True)
    folder = tmp_path / "downstream"
    assert sorted(path.name for path in folder.iterdir()) == ["logistic_regression", "nearest_class_mean"]
    first = {path: path.read_bytes() for path in folder.rglob("*.*")}
    for name in ("logistic_regression", "nearest_class_mean"):
        metrics = read_metrics(folder / name / "metrics.json")
        assert (metrics["dataset"], metrics["method"], metrics["seed"], metrics["shots"]) == ("photos", name, 7, 2)
        raw = json.loads((folder / name / "metrics.json").read_text())
        assert raw["classes_left_out"] == {"val": [], "test": [], "test_uncommon": ["boat"]}
        assert ("inverse_penalty" in raw) == (name == "logistic_regression")
        rows = read_rows(folder / name / "predictions.csv", ("split", "class", "predicted"), dict)
        for split, result in metrics["splits"].items():
            own = [row for row in rows if row["split"] == split]
            assert len(own) == result["n_images"]
            right = {row["class"]: [] for row in own}
            for row in own:
                right[row["class"]].append(row["class"] == row["predicted"])
            assert result["accuracy"] == pytest.approx(np.mean([np.mean(each) for each in right.values()]))
        (record,) = read_made_with(folder / name / "metrics.made_with.json")
        assert record["made_with"]["scikit-learn"]
    assert len(list((tmp_path / "store/features").iterdir())) == 4
    subprocess.run(command, check=True)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == first


def test_blas_threads_are_fixed(monkeypatch):
    """Rounding must not depend on the cores that Snakemake grants."""
    limits = []
    limiter = baselines.threadpool_limits
    monkeypatch.setattr(baselines, "threadpool_limits", lambda number: limits.append(number) or limiter(number))
    logistic_regression(*photos((2, 2)), names("ab"))
    assert limits == [1]

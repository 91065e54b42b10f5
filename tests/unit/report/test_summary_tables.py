"""Summary tables."""

import json
import subprocess
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagen.comparisons.tables_file import write_table
from diagen.errors import InputError
from diagen.report.summary_tables import (
    ACCURACY,
    DIVERSITY,
    PER_CLASS,
    PROMPTS,
    accuracy_table,
    diversity_table,
    over_folds,
    per_class_table,
    pool_folds,
    read_table,
)

SEEDS, SHOTS, METHODS = (0, 1, 2), (2, 4), ("standard", "da_fusion", "diagen")
SPLITS = {"val": 12, "test": 30, "test_uncommon": 20}


def metrics(method: str, seed: int, shots: int, generator: np.random.Generator) -> dict:
    splits = {}
    for split, n_images in SPLITS.items():
        per_class = {name: {"accuracy": generator.random(), "n_images": n_images // 2} for name in ("NA", "pine_tree")}
        mean = float(np.mean([result["accuracy"] for result in per_class.values()]))
        splits[split] = {"accuracy": mean, "n_images": n_images, "per_class": per_class}
    return {"dataset": "world", "method": method, "seed": seed, "shots": shots, "best_epoch": 3, "splits": splits}


@pytest.fixture
def runs() -> list[dict]:
    generator = np.random.default_rng(7)
    return [metrics(method, seed, shots, generator) for seed, shots, method in product(SEEDS, SHOTS, METHODS)]


def test_accuracy_and_per_class_tables_hold_every_run_split_and_class(runs):
    accuracy, per_class = accuracy_table(runs), per_class_table(runs)
    assert list(accuracy.columns) == ACCURACY and list(per_class.columns) == PER_CLASS
    assert len(accuracy) == len(runs) * 3 and len(per_class) == len(runs) * 3 * 2
    assert accuracy["method"].drop_duplicates().tolist() == list(METHODS)
    means = per_class.groupby(["method", "seed", "shots", "split"])["accuracy"].mean()
    pd.testing.assert_series_equal(
        means, accuracy.set_index(["method", "seed", "shots", "split"])["accuracy"].sort_index(), check_names=False
    )


def test_a_table_round_trips(runs, tmp_path):
    table = per_class_table(runs)
    write_table(table, tmp_path / "per_class.csv")
    assert "\r" not in (tmp_path / "per_class.csv").read_text()
    pd.testing.assert_frame_equal(read_table(tmp_path / "per_class.csv", PER_CLASS), table, check_dtype=False)


def test_a_missing_column_is_reported(tmp_path):
    (tmp_path / "accuracy.csv").write_text("dataset,method\nworld,diagen\n")
    with pytest.raises(InputError, match=r"accuracy\.csv: damaged \(missing columns: seed"):
        read_table(tmp_path / "accuracy.csv", ACCURACY)


def write_results(root, runs):
    """The files that `summarize` reads, as the workflow lays them out."""
    world = root / "world"
    for run in runs:
        folder = world / f"seed{run['seed']}" / f"shots{run['shots']}"
        (folder / "downstream" / run["method"]).mkdir(parents=True, exist_ok=True)
        (folder / "downstream" / run["method"] / "metrics.json").write_text(json.dumps(run))
        (folder / "diversity" / "da_fusion").mkdir(parents=True, exist_ok=True)
        values = {"precision": 0.9, "recall": 0.4, "density": 1.2, "coverage": 0.5, "n_real": 50, "n_synthetic": 20}
        scopes = [{"variant": "paper", "k": k, "scope": scope, **values} for k in (3, 5) for scope in ("pooled", "NA")]
        scopes.append(scopes[0] | {"variant": "without_guides", "precision": 0.7})
        (folder / "diversity" / "da_fusion.json").write_text(json.dumps(scopes))
        drawn = [scope | {"precision": 0.95, "n_synthetic": 15} for scope in scopes]
        (folder / "diversity" / "da_fusion" / "paper.json").write_text(json.dumps(drawn))
    ceiling = [{"variant": "equal_size", "k": 3, "scope": "pooled", **values, "recall": 0.8}]
    (world / "ceiling.json").write_text(json.dumps(ceiling))
    (world / "prompts").mkdir()
    (world / "prompts" / "paper.csv").write_text('class,number,prompt\nNA,0,"a photo of a red NA, at night"\n')


def summarize(root, output, **changes):
    names = {
        "datasets": ["world"],
        "seeds": SEEDS,
        "shots": SHOTS,
        "methods": METHODS,
        "generators": ["da_fusion"],
        "weighted": [["da_fusion", "paper"]],
        "prompt_sets": ["paper"],
    }
    command = [sys.executable, "workflow_scripts/summarize.py", "--results", str(root), "--output", str(output)]
    settings = json.dumps(names | changes)
    return subprocess.run([*command, "--settings", settings], capture_output=True, text=True, check=False)


def test_summarize_gathers_the_four_tables(runs, tmp_path):
    write_results(tmp_path / "results", runs)
    result = summarize(tmp_path / "results", tmp_path / "summary")
    assert result.returncode == 0, result.stderr
    columns = {"accuracy": ACCURACY, "per_class": PER_CLASS, "diversity": DIVERSITY, "prompts": PROMPTS}
    tables = {name: read_table(tmp_path / "summary" / f"{name}.csv", wanted) for name, wanted in columns.items()}
    key = ["method", "seed", "shots", "split"]
    pd.testing.assert_frame_equal(
        tables["accuracy"].sort_values(key, ignore_index=True),
        accuracy_table(runs).sort_values(key, ignore_index=True),
        check_dtype=False,
    )
    diversity = tables["diversity"]
    assert list(diversity.columns[:12]) == [
        "dataset", "generator", "seed", "shots", "k", "scope",
        "precision", "recall", "density", "coverage", "n_real", "n_synthetic",
    ]  # fmt: skip
    ceiling, diversity = diversity[diversity["generator"] == "real"], diversity[diversity["generator"] != "real"]
    assert diversity["weighting"].value_counts().to_dict() == {
        kind: len(SEEDS) * len(SHOTS) * 5 for kind in ("", "paper")
    }
    as_paper = diversity[diversity["variant"] == "paper"]
    assert set(as_paper[as_paper["weighting"] == ""]["precision"]) == {0.9}
    assert set(as_paper[as_paper["weighting"] == "paper"]["precision"]) == {0.95}
    without_guides = diversity[(diversity["variant"] == "without_guides") & (diversity["weighting"] == "")]
    assert set(without_guides["precision"]) == {0.7} and len(without_guides) == len(SEEDS) * len(SHOTS)
    assert ceiling[["variant", "recall", "weighting"]].to_numpy().tolist() == [["equal_size", 0.8, ""]]
    assert ceiling[["seed", "shots"]].isna().all(axis=None), "it belongs to no cell"
    assert "world,da_fusion,0,2,3," in (tmp_path / "summary" / "diversity.csv").read_text(), "seeds are whole numbers"
    assert tables["prompts"].iloc[0].tolist() == ["world", "paper", "NA", 0, "a photo of a red NA, at night"]

    missing = summarize(tmp_path / "results", tmp_path / "summary", seeds=[9])
    assert missing.returncode == 2 and "metrics.json" in missing.stderr and "Traceback" not in missing.stderr


@given(folds=st.integers(2, 5), n_images=st.integers(5, 40), seed=st.integers(0, 1000))
def test_the_folds_of_a_repeat_are_pooled_image_by_image(folds, n_images, seed):
    """Against the accuracy of each class, and their mean, over the images of all folds."""
    generator = np.random.default_rng(seed)
    right = {(repeat, name): generator.random(n_images) < 0.6 for repeat in (0, 3) for name in ("a", "b", "c")}
    right[0, "c"] = right[0, "c"][:2]  # fewer images than folds
    runs = []
    for repeat in (0, 3):
        for fold in range(folds):
            per_class = {}
            for name in "abc":
                part = right[repeat, name][fold::folds]
                if part.size:
                    per_class[name] = {"accuracy": float(part.mean()), "n_images": part.size}
            mean = float(np.mean([result["accuracy"] for result in per_class.values()]))
            total = sum(result["n_images"] for result in per_class.values())
            result = {"accuracy": mean, "n_images": total, "per_class": per_class}
            place = {"dataset": "mine", "method": "standard", "seed": repeat * folds + fold, "shots": 2}
            runs.append({**place, "splits": {"test": result}})
    pooled = pool_folds(runs, folds)
    accuracy = accuracy_table(pooled).set_index("seed")
    assert accuracy.index.tolist() == [0, 3]
    for repeat in (0, 3):
        means = {name: right[repeat, name].mean() for name in "abc"}
        assert accuracy.loc[repeat, "accuracy"] == pytest.approx(np.mean(list(means.values())))
        assert accuracy.loc[repeat, "n_images"] == sum(right[repeat, name].size for name in "abc")
    per_class = per_class_table(pooled).set_index(["seed", "class"])["accuracy"]
    assert per_class.to_dict() == pytest.approx({key: values.mean() for key, values in right.items()})


def test_without_folds_nothing_is_pooled(runs):
    assert pool_folds(runs, 1) == runs


def test_diversity_is_averaged_over_the_folds_of_a_repeat():
    entry = {"scope": "pooled", "k": 3, "density": 0.5, "coverage": 1.0, "n_real": 30, "precision": 0.1}
    sets = [
        (("mine", "diagen", seed, 2, ""), [{**entry, "recall": seed / 10, "n_synthetic": 20 + seed}])
        for seed in (0, 1, 2, 6, 7, 8)
    ]
    table = over_folds(diversity_table(sets), 3)
    assert list(table.columns) == DIVERSITY
    assert table["seed"].tolist() == [0, 2]
    assert table["recall"].tolist() == pytest.approx([0.1, 0.7])
    assert table["n_synthetic"].tolist() == [21, 27]
    pd.testing.assert_frame_equal(over_folds(diversity_table(sets), 1), diversity_table(sets))

"""The three tables of an experiment, and the program that writes them."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diagen.comparisons.compare import comparisons_table, means_table, worth_table
from diagen.comparisons.families import holm
from diagen.comparisons.intervals import ACCURACY, estimate, interval, p_value
from diagen.comparisons.outcomes import Outcomes, read_outcomes
from diagen.comparisons.tables_file import (
    COMPARISONS,
    MEANS,
    WORTH,
    read_comparisons,
    read_means,
    read_worth,
    write_table,
)
from diagen.files.tables import DamagedFile
from tests.unit.comparisons.conftest import METHODS

COUNTS = np.array([30, 40, 50])
NAMES = ("standard", "da_fusion", "diagen", "logistic_regression")


@pytest.fixture
def outcomes() -> list[Outcomes]:
    random = np.random.default_rng(0)
    rates = np.array([0.5, 0.6, 0.75, 0.52])[:, None, None, None] + np.array([0, 0.1])[:, None, None]
    right = random.random((4, 2, 7, 120)) < rates
    return [
        Outcomes("photos", split, NAMES, (2, 4), ("boat", "car", "star"), COUNTS, right[..., order])
        for split, order in (("test", slice(None)), ("test_uncommon", slice(None, None, -1)))
    ]


def compared(outcomes, **changes):
    options = {"baselines": ("standard",), "primary": "diagen", "split": "test", "folds": False}
    return comparisons_table(outcomes, **(options | changes))


def test_rows(outcomes):
    table = compared(outcomes, baselines=("da_fusion", "standard"))
    assert list(table.columns) == COMPARISONS
    keys = ["dataset", "split", "shots", "class", "method", "baseline"]
    assert not table[keys].duplicated().any() and (table["method"] != table["baseline"]).all()
    assert len(table) == 2 * 3 * 4 * 3 * 2  # splits, shots and their mean, classes and their mean, methods, baselines
    (primary,) = table[table["primary"]].itertuples()
    assert (primary.method, primary.baseline, primary.split, primary.shots) == ("diagen", "da_fusion", "test", "all")
    assert (table["images"][table["class"] == "boat"] == 30).all() and (
        table["images"][table["class"] == ""] == 120
    ).all()
    assert (table["seeds"] == 7).all()


def test_numbers_are_those_of_the_interval(outcomes):
    table = compared(outcomes).set_index(["split", "shots", "class", "method"])
    test = outcomes[0].right.astype(float)
    for shots, values in (("2", test[2, 0] - test[0, 0]), ("all", (test[2] - test[0]).mean(axis=0))):
        overall, per_class = estimate(values, COUNTS)
        row, of_car = table.loc["test", shots, "", "diagen"], table.loc["test", shots, "car", "diagen"]
        assert row["estimate"] == pytest.approx(overall.mean) and row["df"] == pytest.approx(overall.df)
        assert [row["low"], row["high"]] == pytest.approx([float(end) for end in interval(overall)])
        assert row["variance_images"] == pytest.approx(overall.variance_images)
        assert row["variance_seeds"] == pytest.approx(overall.variance_seeds)
        assert row["p"] == pytest.approx(p_value(overall))
        assert of_car["estimate"] == pytest.approx(per_class.mean[1]) and of_car["p"] == pytest.approx(
            p_value(per_class)[1]
        )
    assert table["sign_flip_p"].between(2 / 2**7, 1).all()


def test_families_are_corrected_without_the_primary_comparison(outcomes):
    table = compared(outcomes)
    primary = table[table["primary"]].iloc[0]
    assert (primary["adjusted_p"], primary["adjusted_low"]) == (primary["p"], primary["low"])
    assert "(95 % CI" in primary["verdict"] and primary["answer"] == "yes"
    others = table[~table["primary"]]
    rows = others[(others["split"] == "test") & (others["shots"] == "all") & (others["class"] == "")]
    assert rows["method"].tolist() == ["da_fusion", "logistic_regression"]
    assert rows["adjusted_p"].tolist() == pytest.approx(holm(rows["p"].to_numpy()).tolist())
    uncommon = others[(others["split"] == "test_uncommon") & (others["shots"] == "2") & (others["class"] == "")]
    assert len(uncommon) == 3
    assert uncommon["adjusted_p"].tolist() == pytest.approx(holm(uncommon["p"].to_numpy()).tolist())
    classes = others[(others["split"] == "test") & (others["shots"] == "2") & (others["class"] != "")]
    for _, of_method in classes.groupby("method"):
        assert of_method["adjusted_p"].tolist() == pytest.approx(holm(of_method["p"].to_numpy()).tolist())
    claimed = others["answer"].isin(["yes", "hurts"])
    assert (claimed == (others["adjusted_p"] < 0.05)).all() and claimed.any() and not claimed.all()
    assert others["verdict"].str.contains("(adjusted 95 % CI", regex=False).all()


def test_means_are_accuracies_with_their_interval(outcomes):
    table = means_table(outcomes)
    assert list(table.columns) == MEANS and len(table) == 2 * 4 * 3
    row = table.set_index(["split", "method", "shots"]).loc["test", "diagen", "all"]
    found, _ = estimate(outcomes[0].right[2].astype(float).mean(axis=0), COUNTS)
    low, high = interval(found, bounds=ACCURACY)
    assert [row["mean"], row["low"], row["high"]] == pytest.approx([float(found.mean), float(low), float(high)])


def test_worth_has_a_row_per_number_of_shots(outcomes):
    table = worth_table(outcomes, baselines=("standard",), folds=False)
    assert list(table.columns) == WORTH and len(table) == 2 * 3 * 2
    assert table["sentence"].str.endswith("7 seeds, 120 test photos).").all()
    assert worth_table(
        [replace(outcomes[0], shots=(2,), right=outcomes[0].right[:, :1])], baselines=("standard",), folds=False
    ).empty


def test_a_single_method_has_no_primary_comparison(outcomes):
    alone = [replace(found, methods=("standard", "logistic_regression"), right=found.right[::3]) for found in outcomes]
    table = compared(alone, primary=None)
    assert not table["primary"].any() and set(table["method"]) == {"logistic_regression"}


def test_without_test_images_the_tables_are_empty(tmp_path):
    for table, read in ((compared([]), read_comparisons), (means_table([]), read_means)):
        write_table(table, tmp_path / "table.csv")
        assert read(tmp_path / "table.csv").empty


@pytest.mark.parametrize("seeds", [1, 7])
def test_ties_everywhere(outcomes, seeds):
    right = np.ones((4, 2, seeds, 120), dtype=bool)
    tied = [replace(found, right=right) for found in outcomes]
    with np.errstate(all="raise", under="ignore"):
        table = compared(tied)
        worth = worth_table(tied, baselines=("standard",), folds=False)
    assert (table["estimate"] == 0).all() and (table["p"] == 1).all() and (table["answer"] == "unclear").all()
    assert (table["low"] < 0).all() and (table["high"] > 0).all() and table["df"].isna().all()
    assert (worth["photos"] == 0).all()


def test_one_seed_is_labelled(outcomes):
    table = compared([replace(found, right=found.right[:, :, :1]) for found in outcomes])
    assert (table["variance_seeds"] == 0).all() and table["sign_flip_p"].isna().all()
    assert table["verdict"].str.contains("for these training photos; another draw may differ").all()


def test_tables_are_read_as_they_were_written(outcomes, tmp_path):
    named = [replace(found, classes=("NA", "1", "nan")) for found in outcomes]
    tables = {
        read_comparisons: compared(named),
        read_means: means_table(named),
        read_worth: worth_table(named, baselines=("standard",), folds=False),
    }
    for read, table in tables.items():
        write_table(table, tmp_path / "table.csv")
        pd.testing.assert_frame_equal(read(tmp_path / "table.csv"), table, check_dtype=False)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("adjusted_p", "p_adjusted", "missing columns: adjusted_p"),
        ("unclear", "perhaps", "`perhaps` is no answer out of"),
        ("False", "no", "line 2: `no` in the column `primary` is neither True nor False"),
        ("test,2", "test", "line 2 does not have one value per column"),
    ],
)
def test_damaged_tables_are_reported(outcomes, tmp_path, old, new, reason):
    path = tmp_path / "comparisons.csv"
    write_table(compared(outcomes), path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DamagedFile, match=reason):
        read_comparisons(path)


def test_the_program_writes_the_tables(experiment, tmp_path):
    results = experiment()
    settings = {"datasets": ["world"], "cell_seeds": [0, 1], "folds": 1, "shots": [2, 4], "methods": METHODS}
    settings |= {"baselines": ["standard"], "primary": "diagen", "split": "test"}
    command = [sys.executable, "workflow_scripts/compare_methods.py", "--results", str(results)]
    command += ["--settings", json.dumps(settings), "--output", str(tmp_path / "summary")]
    subprocess.run(command, check=True)
    outcomes = read_outcomes(results, "world", cell_seeds=(0, 1), folds=1, shots=(2, 4), methods=METHODS)
    found = read_comparisons(tmp_path / "summary/comparisons.csv")
    pd.testing.assert_frame_equal(found, compared(outcomes), check_dtype=False)
    assert len(read_means(tmp_path / "summary/means.csv")) == 2 * 3 * 3
    assert len(read_worth(tmp_path / "summary/worth.csv")) == 2 * 2 * 2
    (results / "world/seed1/shots4/downstream/diagen/predictions.csv").unlink()
    failed = subprocess.run(command, text=True, capture_output=True)
    assert failed.returncode == 2 and "diagen/predictions.csv: No such file" in failed.stderr
    assert "Traceback" not in failed.stderr

"""Noise ceilings: the largest level that a class tolerates, found by binary search, and their table."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.cells import Cell
from diagen.data.shots_file import Shot
from diagen.errors import InputError
from diagen.noise_ceilings.ceilings import find_ceilings, probe_rows
from diagen.noise_ceilings.ceilings_file import read_ceilings, write_ceilings

LEVELS = (0.4, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2)
CELL = [
    Shot("guide", name, guide, f"{name}{guide}.png", f"{name}{guide}") for name in ("cup", "car") for guide in (1, 0)
] + [Shot("val", "cup", None, "v.png", "v")]


class Falling:
    """Confidence that falls from `start` with the level, to `start / 2` at each class's `half`; records the calls."""

    def __init__(self, half: Mapping[str, float], start: float = 0.9) -> None:
        self.half, self.start, self.calls = half, start, []

    def __call__(self, levels: Mapping[str, float]) -> dict[str, float]:
        self.calls.append(dict(levels))
        return {name: self.start / (1 + level / self.half[name]) for name, level in levels.items()}


def ceilings_of(confidences: Falling, keep: float = 0.8) -> dict[str, float]:
    trials = find_ceilings(sorted(confidences.half), LEVELS, keep=keep, images=8, confidences=confidences)
    assert all(trial.tolerated for trial in trials if trial.ceiling)
    return {trial.class_name: trial.level for trial in trials if trial.ceiling}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(half=st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1e-4, 10), min_size=3), keep=st.floats(0.5, 1.0))
def test_the_ceiling_is_the_largest_tolerated_level(half: dict[str, float], keep: float) -> None:
    """Against a search through all levels of the formula by which confidence falls."""
    confidences = Falling(half)
    found = ceilings_of(confidences, keep)
    for name, middle in half.items():
        tolerated = [0.0, *(lv for lv in sorted(LEVELS) if 0.9 / (1 + lv / middle) >= max(keep * 0.9, 1 / len(half)))]
        assert found[name] == tolerated[-1]
    assert len(confidences.calls) <= 1 + 3  # seven levels and none at all are eight: three halvings


def test_all_classes_are_tried_together_and_only_while_undecided() -> None:
    confidences = Falling({"car": 100.0, "cup": 0.001, "fish": 0.12})
    assert ceilings_of(confidences) == {"car": 0.4, "cup": 0.0, "fish": 0.025}
    first, second, *_ = confidences.calls
    assert first == {"car": 0.0, "cup": 0.0, "fish": 0.0} and second == {"car": 0.05, "cup": 0.05, "fish": 0.05}


def test_images_below_chance_belong_to_no_class() -> None:
    confidences = Falling({"car": 1e9, "cup": 1e9, "fish": 1e9}, start=0.3)
    assert set(ceilings_of(confidences).values()) == {0.0}


def test_probes_share_noise_and_images_over_levels_and_take_guides_in_turn() -> None:
    names = {"dataset": "world", "seed": 0, "shots": 2}
    rows = probe_rows(CELL, {"cup": 0.1}, 3, Cell(**names))
    assert [(row.class_name, row.guide, row.prompt) for row in rows] == [
        ("cup", guide, "a photo of a <cup>") for guide in (0, 1, 0)
    ]
    assert {row.noise_level for row in rows} == {0.1}
    other = probe_rows(CELL, {"cup": 0.4, "car": 0.0}, 3, Cell(**names))
    seeds = [(row.noise_seed, row.image_seed) for row in rows]
    assert seeds == [(row.noise_seed, row.image_seed) for row in other if row.class_name == "cup"]
    assert len({seed for pair in seeds for seed in pair}) == 6


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    trials = find_ceilings(["car", "cup"], LEVELS, keep=0.8, images=8, confidences=Falling({"car": 1.0, "cup": 0.01}))
    write_ceilings(trials, tmp_path / "ceilings.csv")
    assert read_ceilings(tmp_path / "ceilings.csv") == {"car": 0.2, "cup": 0.0}
    head, *lines = (tmp_path / "ceilings.csv").read_text().splitlines()
    assert head == "class,level,confidence,images,threshold,tolerated,ceiling"
    assert sum(line.endswith(",true") for line in lines) == 2 and len(lines) == len(trials)
    (tmp_path / "other.csv").write_text("class,level\n")
    with pytest.raises(InputError, match=r"other\.csv: damaged \(missing columns: confidence"):
        read_ceilings(tmp_path / "other.csv")

"""Sampling by eq. (2): exact sums, frequencies, and errors of the tables."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from diagen.errors import InputError
from diagen.weighting.drawing import draw_rows, drawing_probabilities, drawn_shares
from diagen.weighting.weights import normalize_per_group, transform_confidences
from diagen.weighting.weights_file import WeightRow, read_shares, read_weights, write_weights

REAL = ["car", "car", "car", "boat", "boat"]
GUIDES = [0, 1, 2, 0, 1]
SYNTHETIC = [(name, guide) for name, guide in zip(REAL, GUIDES, strict=True) for _ in range(4)]


def probabilities(p: float, shares: list[float] | None = None) -> np.ndarray:
    names, guides = zip(*SYNTHETIC, strict=True)
    return drawing_probabilities(REAL, GUIDES, names, guides, shares, p)


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=len(SYNTHETIC), max_size=len(SYNTHETIC)))
def test_every_sum_of_equation_2(p: float, confidences: list[float]) -> None:
    shares = normalize_per_group(confidences, SYNTHETIC)
    found = probabilities(p, shares)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found[: len(REAL)].sum() == pytest.approx(1 - p, abs=1e-12)
    counts = Counter(REAL)
    for name, value in zip(REAL, found, strict=False):
        assert value == pytest.approx((1 - p) / (2 * counts[name]), abs=1e-15)
    of_guide = defaultdict(list)
    for row, group in enumerate(SYNTHETIC):
        of_guide[group].append(row)
    for (name, _), rows in of_guide.items():
        total = sum(confidences[row] for row in rows)
        for row in rows:
            part = confidences[row] / total if total > 0 else 1 / len(rows)
            assert found[len(REAL) + row] == pytest.approx(p / (2 * counts[name]) * part, abs=1e-15)


def test_frequencies() -> None:
    confidences = np.random.RandomState(0).rand(len(SYNTHETIC)) ** 3
    confidences[3] = 0
    expected = probabilities(0.7, normalize_per_group(confidences, SYNTHETIC))
    names = REAL + [name for name, _ in SYNTHETIC]
    draws = 200_000
    rows = draw_rows(expected, names, np.random.RandomState(1).rand(draws))
    counts = np.bincount(rows, minlength=len(names))
    assert counts[expected == 0].sum() == 0
    assert chisquare(counts[expected > 0], expected[expected > 0] * draws).pvalue > 0.01


def test_same_numbers_draw_the_same_classes_in_all_methods() -> None:
    names = np.array(REAL + [name for name, _ in SYNTHETIC])
    uniforms = np.random.RandomState(2).rand(5000)
    alone = draw_rows(drawing_probabilities(REAL, GUIDES, [], [], None, 0.0), REAL, uniforms)
    mixed = draw_rows(probabilities(0.7), names.tolist(), uniforms)
    assert (names[alone] == names[mixed]).mean() > 0.999


@pytest.mark.parametrize("edge", [0.0, np.nextafter(1.0, 0.0)])
def test_extreme_uniforms_draw_valid_rows(edge: float) -> None:
    expected = probabilities(1.0)
    names = REAL + [name for name, _ in SYNTHETIC]
    assert expected[draw_rows(expected, names, np.array([edge]))] > 0


def test_shares_per_class_draw_bad_guides_less_often() -> None:
    """Normalized per class, each image has p / C times its confidence over those of its class."""
    confidences = np.random.RandomState(3).rand(len(SYNTHETIC))
    confidences[:4] = 0
    names = [name for name, _ in SYNTHETIC]
    found = probabilities(0.6, normalize_per_group(confidences, names))
    totals = {name: sum(q for q, other in zip(confidences, names, strict=True) if other == name) for name in names}
    expected = [0.6 / 2 * q / totals[name] for q, name in zip(confidences, names, strict=True)]
    assert found[len(REAL) :] == pytest.approx(expected, abs=1e-15)
    assert found[len(REAL) : len(REAL) + 4].sum() == 0, (
        "normalized per guide image, it would be drawn as often as any other"
    )
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_synthetic_only_never_draws_a_real_image() -> None:
    found = probabilities(1.0)
    names = REAL + [name for name, _ in SYNTHETIC]
    rows = draw_rows(found, names, np.random.RandomState(4).rand(20_000))
    assert rows.min() >= len(REAL) and found[len(REAL) :].sum() == pytest.approx(1, abs=1e-12)
    drawn = Counter(names[row] for row in rows)
    assert drawn["car"] / 20_000 == pytest.approx(0.5, abs=0.02), "classes stay balanced"


@given(st.floats(0, 1), st.floats(0, 1))
def test_transforms(confidence: float, threshold: float) -> None:
    def weight(transform: str) -> float:
        return float(transform_confidences([confidence], transform, threshold)[0])

    assert weight("confidence") == confidence
    assert weight("doubled") == (1 if confidence >= 0.5 else 2 * confidence)
    assert weight("threshold") == (1 if confidence >= threshold else 0)
    assert weight("none") == 1


@pytest.mark.parametrize("by", ["guide image", "class"])
def test_drawn_shares_are_the_synthetic_part_of_equation_2(by: str) -> None:
    names, guides = zip(*SYNTHETIC, strict=True)
    shares = normalize_per_group(np.random.RandomState(5).rand(len(names)), SYNTHETIC if by == "guide image" else names)
    expected = probabilities(0.7, shares)[len(REAL) :] / 0.7
    assert drawn_shares(names, guides, shares) == pytest.approx(expected, abs=1e-15)


def test_without_weights_images_of_a_guide_weigh_the_same() -> None:
    assert len(set(probabilities(0.5)[len(REAL) : len(REAL) + 12].round(15))) == 1


def test_errors() -> None:
    with pytest.raises(
        InputError,
        match=r"m/manifest.csv: guide image 0 of class boat has no synthetic image\. .* rm m/manifest.csv m/plan.csv$",
    ):
        drawing_probabilities(REAL, GUIDES, ["car"] * 3, [0, 1, 2], None, 0.5, manifest=Path("m/manifest.csv"))
    with pytest.raises(InputError, match="no synthetic image"):
        drawing_probabilities(REAL, GUIDES, [], [], None, 0.5)
    with pytest.raises(
        InputError, match=r"guide image 1 of class car is not in shots.csv\. .* rm manifest.csv plan.csv$"
    ):
        drawing_probabilities(["car"], [0], ["car", "car"], [0, 1], None, 0.5)
    with pytest.raises(InputError, match=r"weights.csv: the weights do not sum to 1 .* rm weights.csv$"):
        probabilities(0.5, [0.2] * len(SYNTHETIC))
    with pytest.raises(InputError, match=r"weights.csv: the weights do not sum to 1 .* rm weights.csv$"):
        probabilities(0.5, [2, -1, 0, 0] * (len(SYNTHETIC) // 4))
    with pytest.raises(ValueError, match="expected finite weights"):
        normalize_per_group([float("nan")], ["a"])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 100), st.floats(0, 1)), max_size=5))
def test_weights_round_trip(tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple]) -> None:
    path = tmp_path_factory.mktemp("weights") / "weights.csv"
    rows = [WeightRow(f"images/{number}.png", *values) for number, values in enumerate(numbers)]
    write_weights(rows, path)
    assert read_weights(path) == rows
    assert path.read_bytes().splitlines()[0] == b"file_name,confidence,temperature,weight"


def test_weights_of_other_images(tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    write_weights([WeightRow("a.png", 0.5, 1.0, 1.0)], path)
    assert read_shares(path, ["a.png"]) == [1.0]
    with pytest.raises(InputError, match=r"weights.csv: rows differ from manifest.csv\. .* rm /.*weights.csv$"):
        read_shares(path, ["b.png"])
    (tmp_path / "other.csv").write_text("file_name\na.png\n")
    with pytest.raises(InputError, match=r"damaged \(missing columns: confidence, temperature, weight; check"):
        read_weights(tmp_path / "other.csv")

"""Diversity compared with a float64 brute force, golden values and cases solved by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diagen.diversity import pair_bounds
from diagen.diversity.balls import balls
from diagen.diversity.manifold import diversity, weighted_diversity
from diagen.diversity.scopes import LabeledFeatures, diversity_by_scope
from diagen.errors import InputError
from diagen.files.json_files import read_diversity
from diagen.report.summary_tables import MEASURES
from tests.unit.diversity.brute_force import (
    brute_force,
    figures,
    simulated,
    weighted_brute_force,
    weighted_figures,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "precision_recall.json"


def test_golden_figures() -> None:
    for case in json.loads(GOLDEN.read_text()):
        rs = np.random.RandomState(case["seed"])
        real = rs.randn(*case["real_shape"])
        fake = rs.randn(*case["fake_shape"]) * 0.8 + 0.3
        expected = [case[name] for name in ("precision", "recall", "density", "coverage")]
        np.testing.assert_allclose(figures(real, fake, case["k"]), expected, atol=1e-6)


def test_line_by_hand() -> None:
    real, fake = np.arange(6.0)[:, None], np.array([[2.5], [9], [5.5], [-1]])
    assert figures(real, fake, 1)[:2] == (0.75, 1.0)


def test_identical_sets_and_equal_points() -> None:
    points = np.random.RandomState(0).randn(40, 7).astype(np.float32)
    assert figures(points, points, 3)[:2] == (1.0, 1.0)
    assert figures(np.ones((10, 3)), np.ones((10, 3)), 3) == (1.0, 1.0, 0.0, 0.0)


whole = st.integers(-3, 3).map(float)
awkward = st.one_of(whole, st.sampled_from([0.1, 0.3, 1e3, 1e3 + 1e-4, -1e-6]))


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_equals_brute_force_with_ties_and_duplicates(
    data: st.DataObject, width: int, k: int, dtype: type, plain: bool
) -> None:
    elements = whole if plain else awkward
    real = data.draw(hnp.arrays(np.float64, (data.draw(st.integers(k + 1, 30)), width), elements=elements))
    fake = data.draw(hnp.arrays(np.float64, (data.draw(st.integers(k + 1, 30)), width), elements=elements))
    real, fake = real.astype(dtype), fake.astype(dtype)
    expected = brute_force(real, fake, k)
    for block in (2048, 4):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pair_bounds, "BLOCK", block)
            assert figures(real, fake, k) == pytest.approx(expected, abs=0)


@pytest.mark.parametrize("offset", [0.0, 50.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_brute_force_on_many_points(monkeypatch: pytest.MonkeyPatch, offset: float, dtype: type) -> None:
    rs = np.random.RandomState(1)
    real = (rs.randn(230, 24) + offset).astype(dtype)
    fake = np.concatenate([(rs.randn(150, 24) * 0.8 + offset).astype(dtype), real[:40], real[:20]])
    expected = {k: brute_force(real, fake, k) for k in (1, 3, 5, 20)}
    for queries, pairs in ((512, 16384), (17, 100)):
        monkeypatch.setattr(pair_bounds, "BLOCK", queries)
        monkeypatch.setattr(pair_bounds, "PAIRS", pairs)
        results = diversity(real, fake, list(expected))
        for result in results:
            found = (result.precision, result.recall, result.density, result.coverage)
            assert found == pytest.approx(expected[result.k], abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_weighted_figures_equal_brute_force(data: st.DataObject, width: int, k: int) -> None:
    real = data.draw(hnp.arrays(np.float64, (data.draw(st.integers(k + 1, 25)), width), elements=whole))
    fake = data.draw(hnp.arrays(np.float64, (data.draw(st.integers(k + 1, 25)), width), elements=whole))
    weights = data.draw(hnp.arrays(np.float64, len(fake), elements=st.floats(1e-3, 1)))
    expected = weighted_brute_force(real, fake, weights, k)
    assert weighted_figures(real, fake, weights, k) == pytest.approx(expected, abs=1e-12)
    equal, plain = weighted_figures(real, fake, np.full(len(fake), 0.3), k), figures(real, fake, k)
    assert equal[::2] == pytest.approx(plain[::2], abs=1e-12), "equal weights give the plain precision and density"
    lost = (1 - 1 / len(fake)) ** len(fake)  # the probability that an image is not among the draws
    for drawn, full in zip(equal[1::2], plain[1::2], strict=True):
        assert full * (1 - lost) - 1e-12 <= drawn <= full + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_weighted_figures_are_the_means_of_simulated_draws(seed: int) -> None:
    draw = np.random.default_rng(seed)
    real, fake = draw.normal(size=(60, 3)), draw.normal(size=(40, 3)) * 0.7 + 0.4
    weights = draw.random(40) ** 4 + 1e-3
    found, expected = weighted_figures(real, fake, weights, 3), simulated(real, fake, weights, 3, 4000)
    assert found == pytest.approx(expected, abs=0.005)


def test_an_image_that_is_always_drawn_reaches_its_points_for_certain() -> None:
    real, fake = np.arange(6.0)[:, None], np.array([[2.5], [1e3], [1e4]])
    (found,) = weighted_diversity(real, fake, np.array([1.0, 1e-300, 1e-300]), [1])
    assert (found.precision, found.recall) == (1.0, 1.0)
    assert found.coverage == pytest.approx(2 / 6)


def test_weighted_figures_do_not_depend_on_block_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    rs = np.random.RandomState(1)
    real, fake, weights = rs.randn(150, 8), rs.randn(130, 8) * 0.8, rs.rand(130) + 1e-9
    expected = weighted_diversity(real, fake, weights, [1, 5])
    monkeypatch.setattr(pair_bounds, "BLOCK", 17)
    monkeypatch.setattr(pair_bounds, "PAIRS", 100)
    assert weighted_diversity(real, fake, weights, [1, 5]) == expected


def test_weights_trade_recall_for_precision() -> None:
    """Half the synthetic images are far from all real ones: drawing them less often increases precision."""
    rs = np.random.RandomState(0)
    real = rs.randn(60, 3)
    fake = np.concatenate([real[:20] + 0.01, rs.randn(20, 3) + 50])
    plain = figures(real, fake, 3)
    weighted = weighted_figures(real, fake, np.repeat([0.9, 0.1], 20), 3)
    assert plain[0] == 0.5 and weighted[0] == pytest.approx(0.9)
    few = weighted_figures(real, fake, np.repeat([1.0, 1e-6], [1, 39]), 3)
    assert few[0] > 0.99 and few[1] < plain[1] / 3
    seldom = weighted_figures(real, fake, np.repeat([0.1, 0.9], 20), 3)
    assert seldom[1] < weighted[1] < plain[1], "what is drawn seldom reaches less"


def test_images_of_weight_zero_are_ignored() -> None:
    rs = np.random.RandomState(2)
    real = LabeledFeatures(rs.randn(20, 4), ["car"] * 12 + ["boat"] * 8)
    fake, classes = rs.randn(24, 4), ["car"] * 12 + ["boat"] * 12
    weights = np.repeat([1, 0, 1, 0], 6) / 12
    left = weights > 0
    kept = [name for name, one in zip(classes, left, strict=True) if one]
    expected = diversity_by_scope(real, LabeledFeatures(fake[left], kept, np.ones(12)), [3])
    found = diversity_by_scope(real, LabeledFeatures(fake, classes, weights), [3])
    assert [entry["n_synthetic"] for entry in found] == [12, 6, 6]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys() and one["scope"] == other["scope"]
        assert [one[name] for name in MEASURES] == pytest.approx([other[name] for name in MEASURES], abs=1e-12)


def test_a_class_is_measured_by_its_own_weights() -> None:
    rs = np.random.RandomState(5)
    real = LabeledFeatures(rs.randn(20, 2), ["car"] * 10 + ["boat"] * 10)
    fake, weights = rs.randn(24, 2), rs.rand(24)
    found = diversity_by_scope(real, LabeledFeatures(fake, ["car"] * 14 + ["boat"] * 10, weights), [2])
    expected = weighted_brute_force(real.features[:10], fake[:14], weights[:14], 2)
    assert found[2]["scope"] == "car"
    assert [found[2][name] for name in MEASURES] == pytest.approx(expected, abs=1e-12)


def test_subsample_includes_weights() -> None:
    part = LabeledFeatures(np.arange(9.0)[:, None], ["car"] * 9, np.arange(9.0)).subsample(4, 0, "synthetic")
    assert part.weights.tolist() == part.features[:, 0].tolist()


def test_radii_among_many_duplicates() -> None:
    """More equal points than the search returns: the exact search is used."""
    points = np.repeat(np.array([[0.1, 0.2], [0.1, 0.2 + 1e-9], [3.0, 3.0]]), 40, axis=0)
    own = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(own, np.inf)
    found = balls(points, [3, 45])
    np.testing.assert_array_equal(found.squared[found.member], np.sort(own, axis=1)[:, [2, 44]])


def test_k_must_be_below_the_number_of_points() -> None:
    with pytest.raises(InputError, match=r"`diversity.k`: k = 5 needs more than 5 images, but there are 5\. Lower"):
        diversity(np.zeros((9, 2)), np.zeros((5, 2)), [3, 5])


def test_features_must_be_finite() -> None:
    with pytest.raises(InputError, match=r"real images: some values are not finite\. Delete their features.npy"):
        diversity(np.full((9, 2), np.nan), np.zeros((9, 2)), [3])


def test_scopes(capsys: pytest.CaptureFixture[str]) -> None:
    rs = np.random.RandomState(2)
    real = LabeledFeatures(rs.randn(20, 4), ["car"] * 12 + ["boat"] * 4 + ["sun"] * 4)
    synthetic = LabeledFeatures(rs.randn(18, 4), ["car"] * 6 + ["boat"] * 9 + ["sun"] * 3)
    entries = diversity_by_scope(real, synthetic, [3, 5])
    assert [(entry["scope"], entry["k"]) for entry in entries] == [
        ("pooled", 3), ("pooled", 5), ("boat", 3), ("car", 3), ("car", 5)
    ]  # fmt: skip
    assert entries[2]["n_real"] == 4 and entries[2]["n_synthetic"] == 9
    expected = brute_force(real.features[:12], synthetic.features[:6], 5)
    assert tuple(entries[4][name] for name in ("precision", "recall", "density", "coverage")) == pytest.approx(expected)
    warnings = capsys.readouterr().err
    assert "warning: paper: too few images at k = 3 for sun, which" in warnings
    assert "warning: paper: too few images at k = 5 for boat, sun, which" in warnings


def test_all_classes_together_are_omitted_where_too_few_images_are_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Five images of positive weight are enough for k = 4 and too few for k = 5 and more."""
    rs = np.random.RandomState(3)
    real = LabeledFeatures(rs.randn(20, 4), ["car"] * 20)
    fake, weights = rs.randn(12, 4), np.repeat([0.2, 0.0], [5, 7])
    synthetic = LabeledFeatures(fake, ["car"] * 12, weights)
    entries = diversity_by_scope(real, synthetic, [4, 5, 9])
    assert [(entry["scope"], entry["k"], entry["n_synthetic"]) for entry in entries] == [
        ("pooled", 4, 5),
        ("car", 4, 5),
    ]
    expected = weighted_brute_force(real.features, fake[:5], weights[:5], 4)
    assert [entries[0][name] for name in MEASURES] == pytest.approx(expected, abs=1e-12)
    assert "warning: paper: too few images at k = 5, 9 for all classes together, car, which" in capsys.readouterr().err
    assert diversity_by_scope(real, synthetic, [5]) == []
    (tmp_path / "diversity.json").write_text("[]")
    assert read_diversity(tmp_path / "diversity.json") == []


def test_subsample_is_drawn_by_seed_and_keeps_order() -> None:
    whole_set = LabeledFeatures(np.arange(20.0)[:, None], [str(row) for row in range(20)])
    part = whole_set.subsample(7, 0, "real")
    assert part.classes == whole_set.subsample(7, 0, "real").classes != whole_set.subsample(7, 1, "real").classes
    assert part.features[:, 0].tolist() == [float(name) for name in part.classes] == sorted(part.features[:, 0])
    assert whole_set.subsample(20, 0).classes == whole_set.subsample(None, 0).classes == whole_set.classes


def test_features_and_table_must_match() -> None:
    with pytest.raises(InputError, match=r"f.npy: features of 2 images, but the table lists 1\. .* rm f.npy$"):
        LabeledFeatures(np.zeros((2, 3)), ["car"], file=Path("f.npy"))


@pytest.mark.parametrize("seed", range(20))
def test_precision_is_at_most_one_even_if_shares_sum_to_more(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    points = draw.normal(size=(150, 4)).astype(np.float32)
    weights = draw.random(150)
    labels = ["car"] * 150
    entries = diversity_by_scope(
        LabeledFeatures(points, labels), LabeledFeatures(points, labels, weights / weights.sum()), [3]
    )
    assert all(entry["precision"] <= 1.0 for entry in entries)
    assert entries[0]["precision"] == pytest.approx(1.0)
    (tmp_path / "diversity.json").write_text(json.dumps(entries))
    assert read_diversity(tmp_path / "diversity.json") == entries

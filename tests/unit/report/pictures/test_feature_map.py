"""The map: repeatable coordinates that keep groups apart, a fair sample, and distances as by brute force."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from diagen.report.pictures.feature_map.points import (
    COMPARED,
    GUIDE,
    REAL,
    SHOWN,
    UNCOMMON,
    Point,
    Points,
    nearest_real,
    sample,
)
from diagen.report.pictures.feature_map.projection import WIDTH, project


def test_groups_stay_groups_and_coordinates_repeat():
    random = np.random.default_rng(1)
    centers = 10 * random.normal(size=(4, 64))
    groups = np.repeat(np.arange(4), 40)
    features = (centers[groups] + random.normal(size=(160, 64))).astype(np.float32)
    plane = project(features)
    assert np.array_equal(plane, project(features.copy()))
    assert plane.min() == 0 and plane[:, 0].max() == WIDTH >= plane[:, 1].max()
    nearest = NearestNeighbors(n_neighbors=6).fit(plane).kneighbors(return_distance=False)
    assert (groups[nearest] == groups[:, None]).mean() > 0.99


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("width", [1, 2, 80])
def test_few_points_have_coordinates_too(count, width):
    plane = project(np.random.default_rng(count).normal(size=(count, width)).astype(np.float32))
    assert plane.shape == (count, 2) and plane.min() >= 0 and plane.max() <= WIDTH


def test_equal_features_have_coordinates():
    assert project(np.ones((20, 8), np.float32)).shape == (20, 2)


kinds = st.sampled_from([REAL, UNCOMMON, COMPARED, SHOWN, GUIDE])


@given(st.lists(st.tuples(kinds, st.sampled_from("abc")), min_size=1, max_size=300), st.integers(1, 200))
def test_a_sample_has_all_guides_and_an_equal_share_of_all_else(found, most):
    points = [Point(kind, name, Path("p"), "") for kind, name in found]
    rows = sample(points, most, "world")
    assert rows == sample(points, most, "world") and rows == sorted(set(rows))
    total, drawn = (Counter(found), Counter(found[row] for row in rows))
    guides = sum(number for (kind, _), number in total.items() if kind == GUIDE)
    if len(points) <= most:
        assert len(rows) == len(points)
    assert len(rows) <= max(most, guides) + len(total)
    share = max(0, min(1, (most - guides) / max(1, len(points) - guides)))
    for (kind, name), number in total.items():
        assert drawn[kind, name] == (number if kind == GUIDE else max(1, int(share * number)))


def test_distances_to_the_nearest_real_photo_are_those_by_brute_force():
    random = np.random.default_rng(5)
    kinds_of = random.choice([REAL, UNCOMMON, COMPARED, SHOWN, GUIDE], 300)
    names = random.choice(["car", "fish", "house"], 300)
    features = random.normal(size=(300, 12)).astype(np.float32)
    points = [Point(int(kind), str(name), Path("p"), "") for kind, name in zip(kinds_of, names, strict=True)]
    found = nearest_real(Points(points, features, {}))
    unit = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    real = np.isin(kinds_of, [REAL, UNCOMMON, GUIDE])
    for name in ("car", "fish", "house"):
        for kind, mine in ((REAL, real), (COMPARED, kinds_of == COMPARED), (SHOWN, kinds_of == SHOWN)):
            distances = [
                min(1 - unit[i] @ unit[j] for j in np.flatnonzero(real & (names == name)) if i != j)
                for i in np.flatnonzero(mine & (names == name))
            ]
            assert found[name][kind] == pytest.approx(np.mean(distances), abs=1e-5)


def test_a_class_without_other_photos_has_no_distance():
    points = [Point(REAL, "car", Path("a"), ""), Point(SHOWN, "fish", Path("b"), "")]
    assert nearest_real(Points(points, np.ones((2, 3), np.float32), {})) == {}

"""Sets of equal size: their sizes, what they are drawn from, their means, and what they correct."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagen.config.programs import EqualSize, MeasureCeilingSettings, MeasureDiversitySettings
from diagen.data.images_file import ImageRow
from diagen.diversity import equal_size
from diagen.diversity.equal_size import LARGEST, class_sizes
from diagen.diversity.measures import measure_ceiling, measure_diversity
from diagen.diversity.scopes import LabeledFeatures, diversity_by_scope
from diagen.files.json_files import DIVERSITY
from diagen.generation.manifest_file import ManifestRow
from diagen.report.summary_tables import MEASURES
from tests.unit.diversity.brute_force import brute_force

CLASSES = ("boat", "car")
SPLITS = ("train_val", "test")


def photos(per_class: int, split: str = "train_val") -> list[ImageRow]:
    return [
        ImageRow(f"{name}/{split}/{number}.png", name, split, 8, 8, f"{name} {split} {number}")
        for name in CLASSES
        for number in range(per_class)
    ]


def manifest(guides: int, per_guide: int) -> list[ManifestRow]:
    return [
        ManifestRow(f"{name}{guide}{number}", name, guide, number, "", 0.0, 0, 0, "", 1)
        for name in CLASSES
        for guide in range(guides)
        for number in range(per_guide)
    ]


def settings(images: int, draws: int = 5, ks: tuple[int, ...] = (3,), **values: object) -> MeasureDiversitySettings:
    wanted = EqualSize(images_per_class=images, draws=draws)
    common = {"k": ks, "real_splits": SPLITS, "subsample": None, "seed": 0, "equal_size": wanted}
    return MeasureDiversitySettings(**common | values)


def of_ceiling(values: MeasureDiversitySettings) -> MeasureCeilingSettings:
    return MeasureCeilingSettings(**values.model_dump(exclude={"seed"}))


def pooled(entries: list[dict], variant: str) -> dict:
    (entry,) = [one for one in entries if (one["scope"], one["variant"]) == ("pooled", variant)]
    return entry


def points(count: int, seed: int, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LabeledFeatures, LabeledFeatures]]:
    """The sets of equal size that are compared, in the order of the draws."""
    found = []

    def recording(real: LabeledFeatures, synthetic: LabeledFeatures, *arguments: object, **options: object) -> list:
        found.append((real, synthetic))
        return diversity_by_scope(real, synthetic, *arguments, **options)

    monkeypatch.setattr(equal_size, "diversity_by_scope", recording)
    return found


def numbers(features: LabeledFeatures) -> list[int]:
    return features.features[:, 0].astype(int).tolist()


def numbered(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)[:, None]


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5000), min_size=1),
    st.integers(1, 3000),
    st.none() | st.integers(1, 3000),
)
def test_sizes_are_disjoint_and_bounded(images: dict[str, int], wanted: int, subsample: int | None) -> None:
    sizes = class_sizes(images, EqualSize(images_per_class=wanted, draws=1), subsample)
    most = min(LARGEST, subsample or LARGEST)
    for name, count in images.items():
        assert sizes[name].synthetic <= min(wanted, count // 2)
        assert sizes[name].synthetic + sizes[name].real <= count
        assert sizes[name].real >= min(count, 1)
    for total in (sum(size.synthetic for size in sizes.values()), sum(size.real for size in sizes.values())):
        assert total <= most + len(sizes)
    if sum(images.values()) <= most:
        assert all(size.synthetic == min(wanted, images[name] // 2) for name, size in sizes.items())
        assert all(size.synthetic + size.real == images[name] for name, size in sizes.items())


def test_guide_images_are_left_out_and_all_cells_have_sets_of_one_size(compared: list) -> None:
    """Eight images of two guides are compared like eight of the 24 of six guides."""
    images = photos(20)
    for guides in (2, 6):
        hashes = {f"{name} train_val {number}" for name in CLASSES for number in range(guides)}
        rows = manifest(guides, 4)
        measure_diversity(images, numbered(40), hashes, rows, numbered(len(rows)), None, settings(8))
        for real, synthetic in compared:
            assert Counter(real.classes) == dict.fromkeys(CLASSES, 12)
            assert Counter(synthetic.classes) == dict.fromkeys(CLASSES, 8)
            assert len(set(numbers(real))) == 24
            assert not {images[number].sha256 for number in numbers(real)} & hashes
        if guides == 6:
            assert len({tuple(numbers(synthetic)) for _, synthetic in compared}) == 5, "each draw takes others"
        else:
            assert {tuple(numbers(synthetic)) for _, synthetic in compared} == {tuple(range(16))}, "it takes all"
        compared.clear()


def test_the_ceiling_compares_disjoint_real_images_in_the_same_sizes(compared: list) -> None:
    images = photos(20)
    duplicate = replace(images[3], path="boat/again.png", split="test")
    apart = photos(5, "test_uncommon")
    listed = [*images, duplicate, *apart]
    measure_ceiling(listed, numbered(len(listed)), of_ceiling(settings(8)))
    assert len(compared) == 5
    for real, held_out in compared:
        assert Counter(real.classes) == dict.fromkeys(CLASSES, 12)
        assert Counter(held_out.classes) == dict.fromkeys(CLASSES, 8)
        chosen = [*numbers(real), *numbers(held_out)]
        assert len(set(chosen)) == 40 and max(chosen) < 40, "each photo once, none of uncommon settings"
    assert len({tuple(numbers(held_out)) for _, held_out in compared}) == 5


def test_real_images_are_the_same_in_cells_and_ceiling_unless_they_are_guides(compared: list) -> None:
    images = photos(20)
    measure_ceiling(images, numbered(40), of_ceiling(settings(8)))
    ceiling = [numbers(real) for real, _ in compared]
    compared.clear()
    measure_diversity(images, numbered(40), set(), manifest(3, 4), numbered(24), None, settings(8, seed=7))
    assert [numbers(real) for real, _ in compared] == ceiling


def test_without_guides_equals_brute_force() -> None:
    images = photos(15) + photos(5, "test")
    real, fake = points(40, 0), points(24, 1) * np.float32(0.8)
    hashes = {images[0].sha256, images[20].sha256, images[33].sha256}
    entries = measure_diversity(images, real, hashes, manifest(3, 4), fake, None, settings(12))
    kept = [row for row, image in enumerate(images) if image.sha256 not in hashes]
    found = pooled(entries, "without_guides")
    assert [found[name] for name in MEASURES] == pytest.approx(brute_force(real[kept], fake, 3))
    assert found["n_real"] == 37
    whole = pooled(entries, "paper")
    assert [whole[name] for name in MEASURES] == pytest.approx(brute_force(real, fake, 3)) and whole["n_real"] == 40
    assert {(one["variant"], one["scope"]) for one in entries} == {
        (variant, scope)
        for variant in ("paper", "without_guides", "equal_size")
        for scope in ("pooled", *CLASSES)
    }  # fmt: skip
    DIVERSITY.validate_python(entries)


def test_entries_are_means_over_draws_that_a_seed_repeats(compared: list) -> None:
    images, real, fake = photos(20), points(40, 2), points(48, 3)
    entries = measure_diversity(images, real, set(), manifest(6, 4), fake, None, settings(8, ks=(3, 5)))
    for k in (3, 5):
        for scope in ("pooled", *CLASSES):
            (found,) = [one for one in entries if (one["variant"], one["scope"], one["k"]) == ("equal_size", scope, k)]
            each = [
                brute_force(
                    *(part.features if scope == "pooled" else part.of_class(scope).features for part in pair), k
                )
                for pair in compared
            ]
            assert [found[name] for name in MEASURES] == pytest.approx(np.mean(each, axis=0), abs=1e-12)
    again = measure_diversity(images, real, set(), manifest(6, 4), fake, None, settings(8, ks=(3, 5)))
    other = measure_diversity(images, real, set(), manifest(6, 4), fake, None, settings(8, ks=(3, 5), seed=1))
    assert json.dumps(entries) != json.dumps(other)
    assert json.dumps(entries) == json.dumps(again)


def test_recall_grows_with_the_number_of_images_and_does_not_in_sets_of_equal_size() -> None:
    """Real and synthetic images of one distribution with rare values; 30, 120 and 480 synthetic images."""

    def features(count: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).standard_t(3, (count, 3)).astype(np.float32)

    images, real, values = photos(300), features(600, 0), settings(15)
    recalls: dict[str, list[float]] = {"paper": [], "equal_size": []}
    for guides in (3, 12, 48):
        rows = manifest(guides, 5)
        found = [
            measure_diversity(images, real, set(), rows, features(len(rows), seed), None, values)
            for seed in range(1, 13)
        ]
        for variant, means in recalls.items():
            means.append(np.mean([pooled(entries, variant)["recall"] for entries in found]))
    few, some, many = recalls["paper"]
    assert few + 0.04 < some < many - 0.01
    assert max(recalls["equal_size"]) - min(recalls["equal_size"]) < 0.03
    ceiling = pooled(measure_ceiling(images, real, of_ceiling(settings(15, draws=20))), "equal_size")
    assert ceiling["recall"] == pytest.approx(np.mean(recalls["equal_size"]), abs=0.03)
    assert ceiling["n_synthetic"] == 30 and ceiling["n_real"] == 570


def test_near_copies_of_guides_are_precise_only_with_guides_in_the_real_set() -> None:
    """Real images are far apart, so that a copy of a guide image is like no other photo."""
    images, real = photos(40), points(80, 0, 64)
    guides = [*range(4), *range(40, 44)]
    fake = np.repeat(real[guides], 5, axis=0) + 0.01 * points(40, 1, 64)
    entries = measure_diversity(
        images, real, {images[row].sha256 for row in guides}, manifest(4, 5), fake, None, settings(20)
    )
    assert pooled(entries, "paper")["precision"] == 1
    assert pooled(entries, "without_guides")["precision"] < 0.8
    assert pooled(entries, "equal_size")["precision"] < 0.8


def test_weights_of_drawn_images_keep_the_shares_of_classes(compared: list) -> None:
    draw = np.random.default_rng(0)
    rows = manifest(6, 4)
    shares = draw.random(48)
    for guide in range(12):
        shares[4 * guide : 4 * guide + 4] /= shares[4 * guide : 4 * guide + 4].sum()
    measure_diversity(photos(20), points(40, 0), set(), rows, points(48, 1), shares.tolist(), settings(8))
    for _, synthetic in compared:
        for name in CLASSES:
            assert synthetic.of_class(name).weights.sum() == pytest.approx(1 / 2)


def test_what_is_too_small_is_omitted_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    entries = measure_ceiling(photos(5), points(10, 0), of_ceiling(settings(4, ks=(3, 5))))
    assert [(one["scope"], one["k"]) for one in entries] == [("pooled", 3)]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings[0].startswith("warning: equal_size: too few images at k = 3 for boat, car, which are omitted;")
    assert warnings[1].startswith("warning: equal_size: too few images at k = 5 for all classes together, boat, car,")
    assert len(warnings) == 2


def test_a_cell_whose_guides_are_all_photos_has_nothing_to_compare_with(capsys: pytest.CaptureFixture[str]) -> None:
    images = photos(3)
    hashes = {image.sha256 for image in images}
    entries = measure_diversity(images, points(6, 0), hashes, manifest(3, 4), points(24, 1), None, settings(12))
    assert {one["variant"] for one in entries} == {"paper"}
    assert (
        "warning: without_guides: too few images at k = 3 for all classes together, boat, car,"
        in capsys.readouterr().err
    )

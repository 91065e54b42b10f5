"""The sections of an experiment: all of its images, with what the tables say about each, and hostile text escaped."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.fake_pictures import PER_GUIDE, lay_out
from diagen.errors import InputError
from diagen.generation.manifest_file import read_manifest, write_manifest
from diagen.report.pictures.gallery.section import _selects
from diagen.report.pictures.sections import picture_sections
from diagen.weighting.weights_file import read_weights

HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>'


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A few small images of smooth noise."""
    folder = tmp_path_factory.mktemp("sources")
    for number in range(9):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture(autouse=True)
def _small_map(monkeypatch):
    monkeypatch.setattr("diagen.report.pictures.feature_map.section.MOST", 150)


@pytest.fixture
def experiment(tmp_path, sources):
    return lay_out(tmp_path, 1000, sources)


def test_every_image_is_in_the_gallery_with_its_provenance(experiment):
    settings, results, store = experiment
    sections = picture_sections(*experiment)
    assert [section.identifier for section in sections] == ["gallery", "feature-map", "noise-ladder"]
    data = json.loads(sections[0].data["gallery-data"])
    names, hashes = (json.loads(sections[0].data[f"gallery-{name}"]) for name in ("names", "hashes"))
    place = results / "world" / "seed0" / "shots5" / "synthetic"
    weights = {row.file_name: row for row in read_weights(place / "noise_llm/weights/paper.csv")}
    images, guides = data["images"], data["guides"]
    assert len(names) == 1000 == len(set(names))
    for generator, name in enumerate(settings.generators):
        for row in read_manifest(place / name / "manifest.csv"):
            n = names.index(row.file_name)
            guide = images["guide"][n]
            assert images["generator"][n] == generator and hashes[n] == row.sha256
            assert data["classes"][guides["class"][guide]] == row.class_name.replace("_", " ")
            assert guides["number"][guide] == row.guide and images["number"][n] == row.number
            assert data["prompts"][images["prompt"][n]] == row.prompt.replace("_", " ")
            assert data["levels"][images["level"][n]] == row.noise_level
            assert (images["noiseSeed"][n], images["imageSeed"][n]) == (row.noise_seed, row.image_seed)
            weight = weights.get(row.file_name)
            expected = (weight.weight, weight.confidence) if weight else (None, None)
            shown = data["weights"][0]["weight"][n], data["weights"][0]["confidence"][n]
            assert shown == pytest.approx(expected, abs=1e-5)
    assert "1,000 synthetic images of 50 guide images" in sections[0].body
    assert data["methods"][1] == {"label": "DIAGen", "generator": 1, "weighting": 0}


def test_images_of_a_guide_image_stand_together_beside_its_thumbnail(experiment):
    data = json.loads(picture_sections(*experiment)[0].data["gallery-data"])
    pairs = list(zip(data["images"]["guide"], data["images"]["generator"], strict=True))
    runs = [pair for n, pair in enumerate(pairs) if n == 0 or pairs[n - 1] != pair]
    assert len(runs) == len(set(runs)) == len(pairs) / PER_GUIDE
    assert data["images"]["thumb"][:PER_GUIDE] == list(range(1, PER_GUIDE + 1)) and data["guides"]["thumb"][0] == 0


def test_sections_are_the_same_again(experiment):
    assert picture_sections(*experiment) == picture_sections(*experiment)


def test_shared_images_have_one_thumbnail(experiment):
    settings, results, store = experiment
    place = results / "world" / "seed0" / "shots5" / "synthetic"
    rows = read_manifest(place / "da_fusion" / "manifest.csv")
    before = json.loads(picture_sections(*experiment)[0].data["pictures-layout"])["count"]
    write_manifest([replace(row, file_name=rows[0].file_name) for row in rows], place / "da_fusion" / "manifest.csv")
    after = json.loads(picture_sections(*experiment)[0].data["pictures-layout"])["count"]
    assert before - after == len(rows) - 1


@pytest.mark.parametrize(
    ("folds", "seeds", "texts", "title", "choices"),
    [
        (1, (3, 7), ["seed 3", "seed 7"], "seed", ["3", "7"]),
        (2, (6, 7), ["fold 0", "fold 1"], "fold", ["0", "1"]),
        (2, (0, 1, 6, 7), ["repeat 0, fold 0", "repeat 0, fold 1", "repeat 3, fold 0", "repeat 3, fold 1"],
         "fold", ["repeat 0, fold 0", "repeat 0, fold 1", "repeat 3, fold 0", "repeat 3, fold 1"]),
    ],
    ids=["seeds", "one repeat", "repeats"],
)  # fmt: skip
def test_folds_are_named(experiment, folds, seeds, texts, title, choices):
    settings = replace(experiment[0], folds=folds, seeds=seeds)
    assert [settings.draw(seed) for seed in seeds] == texts
    columns = {name: [] for name in ("datasets", "classes", "methods", "levels")}
    columns |= {"cells": [(0, seed, 5) for seed in seeds]}
    ((name, shown, options),) = _selects(columns, settings)
    assert (name, shown) == ("seed", title) and options == list(zip(seeds, choices, strict=True))


def test_hostile_prompts_are_text(experiment):
    settings, results, store = experiment
    manifest = results / "world" / "seed0" / "shots5" / "synthetic" / "noise_llm" / "manifest.csv"
    write_manifest([replace(row, prompt=HOSTILE) for row in read_manifest(manifest)], manifest)
    for section in picture_sections(*experiment):
        for text in (section.body, *section.data.values()):
            assert "<img src=x" not in text and "<script>alert" not in text


def test_the_text_of_the_map_has_counts_and_distances(experiment, monkeypatch):
    monkeypatch.setattr("diagen.report.pictures.feature_map.section.MOST", 10_000)
    body = picture_sections(*experiment)[1].body
    assert "900 real photos, 50 of them guide images, and the synthetic images of seed 0 with 5 shots" in body
    assert "500 of DA-Fusion and 500 of DIAGen." in body and "from the nearest real photo (DA-Fusion:" in body


def test_a_large_map_is_a_sample_and_says_how_large(experiment):
    _, section, _ = picture_sections(*experiment)
    assert "points are drawn at random from 1,900." in section.body
    assert len(json.loads(section.data["feature-map-0"])["x"]) <= 150 + 50


def test_features_that_do_not_fit_are_reported(experiment):
    settings, results, store = experiment
    np.save(results / "world" / "features.npy", np.ones((3, 4), np.float32))
    with pytest.raises(InputError, match=r"features of 3 images, but images.csv lists 900"):
        picture_sections(*experiment)


def test_weights_of_unknown_images_are_left_out(experiment):
    settings, results, store = experiment
    weights = results / "world/seed0/shots5/synthetic/noise_llm/weights/paper.csv"
    with open(weights, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with open(weights, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows[:1])
    section = picture_sections(*experiment)[0]
    assert json.loads(section.data["gallery-data"])["weights"] == [] and 'name="order"' in section.body


def test_without_synthetic_images_there_is_no_section(experiment):
    settings, results, store = experiment
    assert picture_sections(replace(settings, generators={}, methods={}), results, store) == []

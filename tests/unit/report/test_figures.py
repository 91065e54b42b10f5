"""The report's charts and pages: content, escaping, and equal files from equal inputs."""

import importlib
import json
import re
import sys
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diagen.data.shots_file import Shot, write_shots
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.report.diversity_page import PAPER, diversity_page
from diagen.report.figures import plot_ablation, plot_accuracy, plot_calibration, pool_bins, save_figure
from diagen.report.gallery import SyntheticSet, gallery_page
from diagen.report.labels import label
from diagen.report.statistics import ACCURACY, DIVERSITY, read_table, write_table
from diagen.weighting.weights_file import WeightRow, write_weights

METHODS = ("standard", "da_fusion", "da_fusion_tuned", "noise", "llm", "noise_llm", "diagen", "my_own")
HOSTILE = "<script>alert('x')</script> & \"quoted\" {{ 7 * 7 }}"


@pytest.fixture
def accuracy() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = [
        ("world", method, seed, shots, split, 0.4 + 0.03 * index + 0.04 * shots + 0.02 * generator.random(), 90)
        for seed, shots, (index, method), split in product(
            (0, 1, 2), (2, 4), enumerate(METHODS), ("val", "test", "test_uncommon")
        )
    ]
    return pd.DataFrame(rows, columns=ACCURACY)


@pytest.fixture
def diversity() -> pd.DataFrame:
    rows = [
        ("world", generator, seed, shots, k, scope, 0.9, 0.1 * shots, 1.3, float("nan"), 300, 240, "")
        for seed, shots, generator, k, scope in product(
            (0, 1), (2, 4), ("da_fusion", "noise_llm"), (3, 5), ("pooled", "car")
        )
    ]
    return pd.DataFrame(rows, columns=DIVERSITY)


def calibration(seed: int) -> dict:
    generator = np.random.default_rng(seed)
    state = [
        {"lower": i / 15, "upper": (i + 1) / 15, "count": i % 4 * 5, "confidence": (i + 0.5) / 15, "accuracy": accuracy}
        for i, accuracy in enumerate(np.sort(generator.random(15)).tolist())
    ]
    state[0] |= {"count": 0, "confidence": 0.0, "accuracy": 0.0}
    val = {f"{key}_{when}": 0.25 for key in ("accuracy", "nll", "ece") for when in ("before", "after")}
    return {"temperature": 1.5, "val": val, "reliability": {"before": state, "after": state}}


def svg_texts(path) -> str:
    """The texts of a chart, from comments: matplotlib draws letters as shapes."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8")))


def test_accuracy_chart_has_a_panel_per_split_and_every_method(accuracy, tmp_path):
    figure = plot_accuracy(accuracy)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Validation", "Test", "Uncommon Settings"]
    save_figure(figure, tmp_path / "accuracy.svg")
    texts = svg_texts(tmp_path / "accuracy.svg")
    assert "DIAGen" in texts and "DA-Fusion" in texts and "my own" in texts


def test_accuracy_chart_draws_means_and_no_error_bars_for_one_seed(accuracy):
    one_seed = accuracy[(accuracy["seed"] == 1) & (accuracy["method"] == "diagen") & (accuracy["split"] == "test")]
    axes = plot_accuracy(one_seed).axes[0]
    (line,) = axes.get_lines()
    assert line.get_ydata() == pytest.approx(100 * one_seed.sort_values("shots")["accuracy"].to_numpy())
    assert not axes.collections


def test_ablation_chart_shows_paired_differences_to_the_baseline(accuracy, tmp_path):
    save_figure(plot_ablation(accuracy), tmp_path / "ablation.svg")
    texts = svg_texts(tmp_path / "ablation.svg")
    runs = accuracy[accuracy["split"] == "test"].pivot(index=["seed", "shots"], columns="method", values="accuracy")
    assert f"{100 * (runs['diagen'] - runs['da_fusion']).mean():+.1f} ±" in texts


def test_ablation_chart_without_da_fusion_compares_with_the_first_method(accuracy, tmp_path):
    save_figure(plot_ablation(accuracy[accuracy["method"] != "da_fusion"]), tmp_path / "ablation.svg")
    assert f"vs {label(METHODS[0])}" in svg_texts(tmp_path / "ablation.svg")


@pytest.mark.parametrize("program", ["plot_accuracy", "plot_ablation", "plot_calibration"])
def test_a_figure_in_another_format_is_refused(program, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [program, "table", "--output", "figure.jpeg"])
    with pytest.raises(SystemExit):
        importlib.import_module(program).main()
    assert "argument --output: 'figure.jpeg' does not end with .svg or .png" in capsys.readouterr().err


@pytest.mark.parametrize("draw", [plot_accuracy, plot_ablation])
def test_equal_tables_make_equal_files(draw, accuracy, tmp_path):
    for name in ("one.svg", "other.svg"):
        save_figure(draw(accuracy), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    assert "<dc:date>" not in (tmp_path / "one.svg").read_text(encoding="utf-8")


def test_charts_allow_a_missing_split_or_a_single_run(accuracy, tmp_path):
    few = accuracy[(accuracy["seed"] == 0) & (accuracy["shots"] == 2) & (accuracy["split"] != "test_uncommon")]
    save_figure(plot_accuracy(few), tmp_path / "accuracy.png")
    save_figure(plot_ablation(few), tmp_path / "ablation.png")


def test_pooled_bins_are_those_of_all_images_together():
    one, other = calibration(1)["reliability"]["after"], calibration(2)["reliability"]["after"]
    edges, count, confidence, accuracy = pool_bins([one, other])
    assert edges == pytest.approx(np.linspace(0, 1, 16))
    assert count.tolist() == [each["count"] + twin["count"] for each, twin in zip(one, other, strict=True)]
    filled = [(a, b) for a, b in zip(one, other, strict=True) if a["count"] + b["count"]]
    expected = [
        (a["accuracy"] * a["count"] + b["accuracy"] * b["count"]) / (a["count"] + b["count"]) for a, b in filled
    ]
    assert accuracy == pytest.approx(expected) and confidence.size == len(filled)


def test_calibration_chart_shows_errors_before_and_after(tmp_path):
    save_figure(plot_calibration([calibration(1), calibration(2)]), tmp_path / "calibration.svg")
    texts = svg_texts(tmp_path / "calibration.svg")
    assert "before: ECE 25.0 %, NLL 0.25" in texts and "after (T = 1.50): ECE 25.0 %, NLL 0.25" in texts


def test_calibration_chart_leaves_out_classifiers_without_validation_images(tmp_path):
    none = {"temperature": 1.0, "val": None, "reliability": None}
    save_figure(plot_calibration([none, calibration(3)]), tmp_path / "calibration.svg")
    assert "after (T = 1.50): ECE 25.0 %, NLL 0.25" in svg_texts(tmp_path / "calibration.svg")
    save_figure(plot_calibration([none]), tmp_path / "calibration.svg")
    assert "no validation images: the temperature is 1" in svg_texts(tmp_path / "calibration.svg")


def test_diversity_page_shows_pooled_means_beside_the_papers(diversity):
    diversity.loc[diversity["scope"] == "car", "recall"] = 0.99
    page = diversity_page(diversity)
    assert "99.0" not in page and "20.0" in page and "40.0" in page
    for values in PAPER.values():
        assert all(f"{value:.1f}" in page for value in (*values["precision"], *values["recall"]))
    assert "–" in page


def test_diversity_page_shows_the_weighted_set_beside_the_plain_one(diversity):
    drawn = diversity[diversity["generator"] == "noise_llm"].assign(weighting="published_code", precision=0.876)
    page = diversity_page(pd.concat([diversity, drawn]))
    plain, weighted = page.index("Noise + prompts"), page.index("Noise + prompts, drawn by weights: published code")
    assert plain < weighted and page.count(">87.6<") == 2 * 2, "two k, two numbers of shots"
    assert "90.0" in page[plain:weighted]


def test_diversity_page_lists_what_was_not_measured(diversity):
    page = diversity_page(diversity)
    assert "Not measured, since" not in page
    generator, k, seed = diversity["generator"], diversity["k"], diversity["seed"]
    few = (generator == "noise_llm") & (k == 5) & (diversity["shots"] == 2) & (seed == 1)
    page = diversity_page(diversity[~few])
    assert page.count("Not measured, since there are too few images: Noise + prompts, 2 shots, seed 1.") == 1
    page = diversity_page(diversity[~((generator == "noise_llm") & (k == 5))])
    at_five = page[page.index("k = 5") : page.index("Reported: the paper")]
    assert 'Noise + prompts</th>\n<td class="first">–</td>' in at_five
    for cell in ("2 shots, seed 0", "2 shots, seed 1", "4 shots, seed 0", "4 shots, seed 1"):
        assert f"Noise + prompts, {cell}" in at_five
    page = diversity_page(diversity[~((generator == "noise_llm") & (seed == 1))])
    assert page.count("Not measured, since there are too few images: Noise + prompts, 2 shots, seed 1; Noise") == 2


def test_diversity_page_of_an_experiment_without_measurements(diversity, tmp_path):
    write_table(diversity[:0], tmp_path / "diversity.csv")
    page = diversity_page(read_table(tmp_path / "diversity.csv", DIVERSITY))
    assert "A set with k or fewer images" in page and "Measured: " not in page and "Reported: the paper" in page


def test_texts_on_the_diversity_page_are_escaped(diversity):
    page = diversity_page(diversity.assign(dataset=HOSTILE, generator=HOSTILE))
    assert "<script" not in page and "{{ 7 * 7 }}" in page


class Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources, self.tags = [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.sources.append(dict(attributes)["src"])


@pytest.fixture
def gallery_files(tmp_path):
    """A cell of two classes: its shots, two manifests of three images per guide, and a store."""
    generator = np.random.default_rng(1)
    (tmp_path / "images").mkdir()

    def picture(name: str, side: int) -> str:
        Image.fromarray(generator.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(tmp_path / name)
        return name

    shots = [
        Shot("guide", name, guide, str(tmp_path / picture(f"{name}{guide}.png", 64)), "0")
        for name in ("car", "pine_tree")
        for guide in (0, 1)
    ]
    manifests = {
        method: [
            ManifestRow(
                picture(f"images/{method}-{shot.class_name}{shot.guide}-{number}.png", 300 if number else 64),
                shot.class_name, shot.guide, number, f"{HOSTILE} <{shot.class_name}>", 0.025, 1, 2, "0", 1,
            )
            for shot in shots
            for number in range(3)
        ]
        for method in ("da_fusion", "diagen")
    }  # fmt: skip
    return tmp_path, shots, manifests


def test_gallery_embeds_the_first_guide_and_its_images_of_every_set(gallery_files, monkeypatch):
    monkeypatch.setattr("diagen.report.gallery.IMAGES", 2)
    store, shots, manifests = gallery_files
    weights = {row.file_name: 0.25 for row in manifests["diagen"]}
    sets = [SyntheticSet("DA-Fusion", manifests["da_fusion"]), SyntheticSet(HOSTILE, manifests["diagen"], weights)]
    page = gallery_page(shots, sets, store)
    found = Pictures()
    found.feed(page)
    assert len(found.sources) == 2 * (1 + 2 * 2)
    assert all(source.startswith(("data:image/png", "data:image/webp")) for source in found.sources)
    assert "script" not in found.tags and "&lt;pine_tree&gt;" in page
    assert page.count("weight 0.25") == 4 and page.count("noise 0.025") == 8
    assert gallery_page(shots, sets, store) == page


def test_programs_make_the_files_of_the_report(gallery_files, accuracy, diversity, monkeypatch):
    folder, shots, manifests = gallery_files
    write_table(accuracy, folder / "accuracy.csv")
    write_table(diversity, folder / "diversity.csv")
    (folder / "calibration.json").write_text(json.dumps(calibration(3)))
    write_shots(shots, folder / "shots.csv")
    for name, rows in manifests.items():
        write_manifest(rows, folder / f"{name}.csv")
    write_weights([WeightRow(row.file_name, 0.5, 1.5, 1 / 3) for row in manifests["diagen"]], folder / "weights.csv")
    baseline = ["--set", "da_fusion", folder / "da_fusion.csv"]
    ours = ["--set", "diagen", folder / "diagen.csv", folder / "weights.csv"]
    gallery = ["plot_gallery", folder / "shots.csv", *baseline, *ours, "--store", folder]
    commands = {
        "accuracy.svg": ["plot_accuracy", folder / "accuracy.csv"],
        "ablation.svg": ["plot_ablation", folder / "accuracy.csv"],
        "calibration.svg": ["plot_calibration", folder / "calibration.json"],
        "diversity.html": ["tabulate_diversity", folder / "diversity.csv"],
        "gallery.html": gallery,
    }
    for output, command in commands.items():
        monkeypatch.setattr(sys, "argv", [*map(str, command), "--output", str(folder / output)])
        importlib.import_module(command[0]).main()
        assert (folder / output).stat().st_size > 1000

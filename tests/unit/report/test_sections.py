"""What the sections of the report say about an experiment."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diagen.config.programs import ModelFacts
from diagen.errors import InputError
from diagen.report.assembly import report_page
from diagen.report.results import Results
from diagen.report.sections.accuracy import MOST_LINES, accuracy, drawn_methods
from diagen.report.sections.classes import classes
from diagen.report.sections.curves import curves, families
from diagen.report.sections.data import data
from diagen.report.sections.diversity import diversity
from diagen.report.sections.methods import methods
from diagen.report.sections.verdict import verdict
from tests.report.experiment import Plan, lay_out
from tests.unit.report.reading import rows_of, text_of


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Results:
    return lay_out(tmp_path_factory.mktemp("experiment"), plan)


def changed(results: Results, table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Results:
    """The results with another table; others are read again."""
    other = replace(results)
    other.__dict__[table] = change(getattr(results, table).copy())
    return other


def test_the_verdict_is_that_of_the_primary_comparison(results: Results, plan: Plan) -> None:
    section = verdict(results)
    row = results.primary.iloc[0]
    text = text_of(section)
    assert len(results.primary) == 1 and row["verdict"] in text
    assert "Does DIAGen help, compared with Standard augmentation, on test photos?" in text
    assert "Yes, it helps" in text and f"{100 * row['estimate']:+.1f} points" in text
    assert "3 seeds, 120 test photos" in text and "another draw" not in text
    gains = results.comparisons
    gains = gains[(gains["class"] != "") & (gains["split"] == "test") & (gains["shots"] == "all")]
    best = gains[gains["method"] == plan.primary].sort_values("estimate").iloc[-1]["class"]
    assert f"In which class most {best.replace('_', ' ')} " in text
    assert "And in Uncommon Settings? (exploratory)" in text
    assert "At 2 shots: Worth" in text and "At 4 shots: Worth" in text


def test_the_worst_image_is_the_one_of_least_confidence(results: Results, plan: Plan) -> None:
    worst = min(results.scored_images("world"), key=lambda each: each.confidence)
    text = text_of(verdict(results))
    assert f"meant as {worst.row.class_name.replace('_', ' ')}" in text
    assert verdict(results).body.count("data:image/") == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [("hurts", "No, it hurts"), ("same", "No difference that matters"), ("unclear", "Can't tell")],
)
def test_each_answer_has_its_words(results: Results, answer: str, words: str) -> None:
    other = changed(results, "comparisons", lambda table: table.assign(answer=answer))
    assert f'<div class="answer {"bad" if answer == "hurts" else ""}">' in verdict(other).body
    assert words in text_of(verdict(other))


def test_one_seed_is_labelled(results: Results) -> None:
    one = changed(results, "comparisons", lambda table: table.assign(seeds=1))
    assert "One seed: for these training photos; another draw may differ." in text_of(verdict(one))
    said = changed(one, "comparisons", lambda table: table.assign(verdict="x; another draw may differ"))
    said.comparisons["verdict"] = "Yes (for these training photos; another draw may differ)."
    assert "One seed:" not in text_of(verdict(said)), "the sentence already says so"


def test_an_experiment_of_one_method_has_no_verdict(results: Results) -> None:
    none = changed(results, "comparisons", lambda table: table[:0])
    assert "nothing to compare" in text_of(verdict(none))
    assert methods(none) is None and classes(none) is None


def test_folds_speak_of_repeats_and_photos(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(folds=2, seeds=(0, 1), shots=(2,)))
    assert results.settings.cell_seeds == (0, 1, 2, 3)
    text = text_of(verdict(results))
    assert "2 repeats, 120 photos" in text and "in cross-validation?" in text
    assert "each photo is tested once in each repeat" in text_of(accuracy(results))
    assert "each of which is learned from and tested in turn." in text_of(data(results))
    assert "2 repeats of 2 folds" in report_page(results)


def test_a_single_number_of_shots_has_no_mean_over_shots(results: Results, tmp_path: Path) -> None:
    one = lay_out(tmp_path, Plan(shots=(4,)))
    for section, words in (
        (accuracy, "Mean over shots"),
        (methods, "Means over the configured numbers of photos"),
        (classes, "mean over the numbers of photos"),
    ):
        assert words in text_of(section(results)) and words not in text_of(section(one))


def test_methods_at_a_single_number_of_shots_are_drawn_inside_the_chart(tmp_path: Path) -> None:
    body = str(accuracy(lay_out(tmp_path, Plan(shots=(4,)))).body)
    chart = json.loads(re.findall(r'class="spec">(.*?)</script>', body, re.DOTALL)[0])
    found = json.dumps(chart)
    low, high = map(float, re.findall(r'"x".{0,300}?"domain": \[(-?[\d.]+), (-?[\d.]+)\]', found)[0])
    places = [float(each) for each in re.findall(r'"x": (-?[\d.]+), "mean"', found)]
    assert len(places) >= 5 and all(low < each < high for each in places)


def test_answers_of_the_demos_models_on_photos_are_marked(results: Results) -> None:
    demo = ModelFacts(source="demo/models/stable_diffusion", sha256=None)
    for model, adapter, marked in (
        (demo, "image_folder", True),
        (demo, "drawn_world", False),
        (results.settings.models["diffusion"], "image_folder", False),
    ):
        changes = {"models": {"diffusion": model}, "datasets": {"world": adapter}}
        changed_results = replace(results, settings=results.settings.model_copy(update=changes))
        assert ("which know drawings only" in text_of(verdict(changed_results))) == marked


def test_accuracies_are_those_of_the_table(results: Results, plan: Plan) -> None:
    section = accuracy(results)
    rows = rows_of(section, "accuracy-table-0-test")
    assert [row[0] for row in rows][-2:] == ["Logistic regression", "Nearest class mean"]
    means = results.means.set_index(["split", "method", "shots"])["mean"]
    assert rows[-3][0] == "DIAGen" and rows[-3][1].startswith(f"{100 * means['test', 'diagen', '2']:.1f} (")
    assert "All panels have the same scale" in text_of(section) and "not from zero" in text_of(section)
    assert "guessing among 3 classes gives 33 %" in text_of(section)
    assert section.body.count('class="spec"') == 2


def test_at_most_nine_methods_are_drawn_and_the_compared_ones_first() -> None:
    many = [f"m{number}" for number in range(20)] + ["standard", "diagen"]
    drawn = drawn_methods(many, ["diagen", "m19"])
    assert len(drawn) == MOST_LINES and {"diagen", "m19", "standard"} <= set(drawn)
    assert drawn == [name for name in many if name in drawn]


def test_methods_are_shown_with_adjusted_intervals(results: Results) -> None:
    section = methods(results)
    rows = rows_of(section, "methods-table-world-standard-test")
    row = results.primary.iloc[0]
    shown = next(each for each in rows if each[0] == "DIAGen")
    assert shown[1] == f"{100 * row['estimate']:+.1f}" and shown[-1] == "better"
    assert shown[3] != shown[2] and len(rows) == 5
    assert "only the pattern is comparable" in text_of(section)


def test_the_papers_own_datasets_are_compared_without_a_caveat(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(adapter="focus"))
    assert "only the pattern" not in text_of(methods(results))
    assert rows_of(diversity(results), "diversity-table-1-world")[1][:2] == ["FOCUS, DIAGen", "99.3"]


def test_curves_join_methods_that_differ_in_one_setting(results: Results) -> None:
    (family,) = families(results.settings, "strength")
    assert family.name == "diagen" and family.methods == {0.9: "strong", 0.7: "diagen"}
    assert families(results.settings, "guidance_scale") == []
    section = curves(results)
    assert section is not None and section.body.count('class="spec"') == 2 and "at 0.9" in section.body
    without = results.settings.model_copy(update={"methods": {"diagen": results.settings.methods["diagen"]}})
    assert curves(replace(results, settings=without)) is None


def test_diversity_shows_the_ceiling_and_every_variant(results: Results) -> None:
    section = diversity(results)
    rows = rows_of(section, "diversity-world-equal_size-3-precision")
    assert rows[-1][:2] == ["Real photos (ceiling)", "95.0"]
    for variant, k, measure in (("paper", 3, "precision"), ("paper", 5, "density"), ("equal_size", 5, "density")):
        assert rows_of(section, f"diversity-world-{variant}-{k}-{measure}")
    means = results.diversity
    means = means[(means["variant"] == "equal_size") & (means["k"] == 3) & (means["scope"] == "pooled")]
    mean = means[(means["generator"] == "diagen") & (means["shots"] == 2)]["recall"].mean()
    shown = next(row for row in rows if row[0] == "DIAGen")
    assert shown[3] == f"{100 * mean:.1f}"
    assert len(rows_of(section, "diversity-table-1")) == 6
    none = changed(results, "diversity", lambda table: table[:0])
    assert diversity(none) is None


def test_classes_have_gain_measures_and_images(results: Results, plan: Plan) -> None:
    section = classes(results)
    rows = rows_of(section, "classes-table-world")
    assert {row[0] for row in rows} == {"car", "pine tree", "sail boat"}
    assert len(rows[0]) == 9
    exhibits = re.findall(r'<div class="card exhibit">.*?</div></div>', section.body, re.DOTALL)
    assert len(exhibits) == 3 and all(each.count("<img") == 6 and each.count("worst") == 3 for each in exhibits)
    scored = [each for each in results.scored_images("world") if each.row.class_name == "car"]
    lowest = min(each.confidence for each in scored)
    (car,) = [each for each in exhibits if "<h4>car" in each]
    assert f"<figcaption>{100 * lowest:.0f}" in car


def test_confusions_are_the_shares_of_the_predictions(results: Results) -> None:
    guesses = [guess for guess in results.guesses("world") if guess.split == "test"]
    assert guesses and not [guess for guess in results.guesses("world") if guess.split == "val"]
    (first, *_) = rows_of(classes(results), "confusion-table-world-test")
    here = [guess.predicted for guess in guesses if guess.class_name == first[0].replace(" ", "_")]
    assert first[2] == f"{100 * here.count(first[1].replace(' ', '_')) / len(here):.1f}"


def test_photos_are_counted_and_leaks_marked(results: Results) -> None:
    section = data(results)
    assert rows_of(section, "data-world")[-1] == ["All classes", "36", "120", "120", "1"]
    assert "1 file left out" in text_of(section) and "a.png: not an image" in text_of(section)
    (row,) = rows_of(section, "data-leaks-world")
    assert row == ["test images", "guide images", "120", "0.333 (1)", "0"] and section.body.count("data-alarm") == 1
    assert "Some test or validation photos have a duplicate" in text_of(section)
    assert section.body.count('<div class="two">') == 2, "cells share images; each pair is shown once"
    assert section.body.index("exact copy") < section.body.index("no duplicate</b>")


def test_the_overlap_of_seeds_is_that_of_their_guides(tmp_path: Path) -> None:
    plan = Plan(shots=(12,), classes=("car", "pine_tree"))  # each seed takes all 12 photos
    assert "two of them share on average 100 % at 12 shots" in text_of(data(lay_out(tmp_path, plan)))


def test_a_missing_column_is_reported_with_the_file(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(seeds=(0,), shots=(2,)))
    path = results.folder / "summary" / "means.csv"
    path.write_text(path.read_text("utf-8").replace("mean", "average"), "utf-8")
    with pytest.raises(InputError, match=r"means.csv: damaged \(missing columns: mean"):
        _ = results.means


def test_equal_results_give_equal_pages_without_raw_keys(results: Results) -> None:
    page = report_page(results)
    assert page == report_page(replace(results))
    text = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", re.sub(r'data-text="[^"]*"', "", text))
    for raw in ("da_fusion", "test_uncommon", "equal_size", "without_guides", "pine_tree", "nan", "None"):
        found = [word for word in re.findall(r"[^\s]+", text) if word == raw]
        assert not found, raw


HOSTILE = "<script>alert('x')</script>"


def test_names_of_any_kind_are_text(tmp_path: Path) -> None:
    plan = Plan(classes=(HOSTILE.replace("/", ""), "cup"), methods=("standard", "diagen"), seeds=(0,), shots=(2,))
    page = report_page(lay_out(tmp_path, plan))
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page

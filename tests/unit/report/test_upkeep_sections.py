"""The sections on prompts, calibration, cost, and what results were made with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from diagen.files.made_with import Share, record_files, write_made_with
from diagen.prompts.judging import Reason
from diagen.report.prompt_words import prompt_words
from diagen.report.results import Results
from diagen.report.sections.calibration import calibration, pool_bins
from diagen.report.sections.cost import cost, duration, read_jobs
from diagen.report.sections.made_with import count_records, made_with, mixed_values
from diagen.report.sections.prompts import REASONS, prompts
from tests.report.experiment import Plan, lay_out
from tests.unit.report.reading import rows_of, text_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return lay_out(tmp_path_factory.mktemp("experiment"), Plan())


@pytest.mark.parametrize(
    ("rest", "places", "times"),
    [
        ("", set(), set()),
        ("at night", set(), {"night"}),
        ("on a rainy city street in the evening", {"rainy city street"}, {"evening"}),
        ("in front of snowy mountains at sunset", {"snowy mountains"}, {"sunset"}),
        ("at the bottom of the sea", {"sea"}, set()),
        ("indoors by day", {"indoors"}, {"day"}),
        ("with a red hat on top of the roof of a church", {"roof of church"}, set()),
        ("in the rain during the day", {"rain"}, {"day"}),
        ("covered in snow", {"snow"}, set()),
        ("under water", {"water"}, set()),
        ("inside a volcano near the sea", {"volcano", "sea"}, set()),
    ],
)
def test_places_and_times(rest: str, places: set[str], times: set[str]) -> None:
    found = prompt_words(f"a photo of a small hot dog {rest}".strip(), "hot_dog")
    assert (found.places, found.times) == (places, times)
    assert found.length == 7 + len(rest.split())


def test_words_are_counted_without_stem_and_class_name() -> None:
    assert prompt_words("a photo of a big photo at night", "photo").words == {"big", "at", "night"}
    assert prompt_words("a photo of a scarlet car in a park", "car").words == {"scarlet", "in", "park"}
    assert prompt_words("a photo of a red jack-o’-lantern", "jack-o'-lantern").words == {"red"}


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(get_args(Reason))


def test_prompt_sets_are_shown_with_their_figures(results: Results) -> None:
    section = prompts(results)
    (row,) = rows_of(section, "prompts-table")
    # Four prompts a class: park at night, rainy city street, none, sea at sunset.
    assert row[:3] == ["World: Paper", "12", "11.2 (6 to 15)"] and row[4:8] == ["3", "75", "2", "50"]
    assert row[8:] == ["1.0 (1)", "15", "20"]
    assert rows_of(section, "prompts-refused")[0][:3] == ["World: Paper", "the words of an earlier line", "3"]
    assert "a photo of a red car in a park at night" in text_of(section)
    without = results.settings.model_copy(update={"prompt_sets": ()})
    assert prompts(replace(results, settings=without)) is None


def test_calibration_says_what_the_temperature_means(results: Results) -> None:
    section = calibration(results)
    text = text_of(section)
    assert "too sure of itself (mean T = 1.40)" in text and "by 10.0 points on average" in text
    assert rows_of(section, "calibration-table")[1][-2:] == ["1.40 (1.40 to 1.40)", "6"]
    assert "too few to determine a temperature" not in text


def test_a_temperature_of_few_errors_is_warned_of(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(seeds=(0,), shots=(2, 4)))
    path = results.folder / "world/seed0/shots4/guide_classifiers/paper/calibration.json"
    content = json.loads(path.read_text())
    content["val"]["n_errors"] = 4
    path.write_text(json.dumps(content))
    assert "1 classifier of 2 had fewer than 5 errors on validation photos" in text_of(calibration(results))


def test_bins_are_pooled_by_their_counts() -> None:
    bins = [
        [{"lower": 0.0, "upper": 1.0, "count": n, "confidence": q, "accuracy": a}, {**EMPTY}]
        for n, q, a in ((1, 0.5, 0.0), (3, 0.9, 1.0))
    ]
    counts, confidence, accuracy = pool_bins(bins)  # type: ignore[arg-type]
    np.testing.assert_allclose(counts, [4, 0])
    np.testing.assert_allclose((confidence, accuracy), [[0.8], [0.75]])


EMPTY = {"lower": 1.0, "upper": 2.0, "count": 0, "confidence": 0.0, "accuracy": 0.0}


def test_cost_is_summed_by_stage(results: Results) -> None:
    section = cost(results)
    assert "8.0 h of jobs in total, without a GPU, summed over 4 jobs" in text_of(section)
    rows = {row[0]: row[1:] for row in rows_of(section, "cost-table")}
    assert rows["Synthetic images"] == ["1", "2.0 h", "2.0 h", "1.23"]
    assert list(rows) == ["Photos", "Synthetic images", "Downstream classifiers", "Tables and upkeep"]


def test_gpu_hours_count_shards_and_shares(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(seeds=(0,), shots=(2,), device="cuda NVIDIA H100"))
    section = cost(results)
    rows = {row[0]: row[-1] for row in rows_of(section, "cost-table")}
    assert rows["Synthetic images"] == "4.00", "two hours on two shards"
    assert rows["Downstream classifiers"] == "1.00", "two jobs share a GPU"
    assert rows["Photos"] == "0.00" and "5.00 GPU hours" in text_of(section)


def test_broken_records_of_jobs_are_passed_over(results: Results, tmp_path: Path) -> None:
    assert len(list(read_jobs(results.folder / "benchmarks"))) == 4
    assert list(read_jobs(tmp_path / "none")) == []
    assert cost(replace(results, folder=tmp_path)) is None


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (99.6, "2 min"), (3600, "60 min"), (7200, "2.0 h")])
def test_times_have_a_unit_that_suits_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


BLOCKS = {"prompts": ["paper"], "manifest": ["diagen"], "weights": ["diagen/paper"], "diversity": ["diagen/paper"]}


def record(parts: int = 1, **values: str) -> list[Share]:
    return [{"parts": parts, "made_with": {"torch": "2.13.0", "device": "cpu x86_64", **values}}]


def mixed(*records: tuple[str, list[Share]]) -> list[tuple[str, list[str]]]:
    return mixed_values(count_records(records))


def test_every_record_of_the_experiment_is_looked_for() -> None:
    assert dict((path, kind) for kind, path in record_files(["photos"], [(0, 2), (1, 2)], BLOCKS)) == {
        "photos/features.made_with.json": "features",
        "photos/ceiling.made_with.json": "diversity",
        "photos/prompts/paper.made_with.json": "prompts",
        **{
            f"photos/seed{seed}/shots2/{place}.made_with.json": kind
            for seed in (0, 1)
            for kind, place in (
                ("manifest", "synthetic/diagen/manifest"),
                ("weights", "synthetic/diagen/weights/paper"),
                ("diversity", "diversity/diagen/paper"),
            )
        },
    }


def test_results_made_alike_are_counted_together_in_the_order_of_the_stages() -> None:
    found = count_records([("manifest", record(24)), ("manifest", record(8)), ("embeddings", record(2))])
    assert [(each.stage, each.parts) for each in found] == [("learned words", 2), ("synthetic images", 32)]
    assert mixed_values(found) == []


def test_mixed_versions_are_pointed_out() -> None:
    records = (("manifest", record()), ("downstream", record(torch="2.14.1")), ("manifest", record(micro_batch="8")))
    assert mixed(*records) == [("torch", ["2.13.0", "2.14.1"])]


def test_stages_may_divide_their_work_differently() -> None:
    assert mixed(("manifest", record(micro_batch="8")), ("features", record(micro_batch="16"))) == []
    found = mixed(("manifest", record(micro_batch="8")), ("manifest", record(micro_batch="4")))
    assert found == [("micro-batch of synthetic images", ["4", "8"])]


def test_words_of_cells_with_other_numbers_of_classes_are_no_mixture_but_those_in_two_precisions_are() -> None:
    alike = [("embeddings", record(micro_batch=rows, dtype="bfloat16")) for rows in ("20", "32")]
    assert mixed(*alike) == []
    found = mixed(*alike, ("embeddings", record(micro_batch="32", dtype="float32")))
    assert found == [("precision of learned words", ["bfloat16", "float32"])]


def test_images_of_a_compiled_unet_and_others_are_a_mixture() -> None:
    assert mixed(("manifest", record(compiled="no")), ("features", record())) == []
    found = mixed(("manifest", record(compiled="no")), ("manifest", record(compiled="yes")))
    assert found == [("compiled of synthetic images", ["no", "yes"])]


def test_models_and_mixtures_are_shown(tmp_path: Path) -> None:
    results = lay_out(tmp_path, Plan(seeds=(0,), shots=(2,)))
    section = made_with(results)
    assert rows_of(section, "models-table") == [["Diffusion model", "CompVis/stable-diffusion-v1-4", "0" * 64]]
    assert "All results were made with the same versions" in text_of(section)
    write_made_with([(("torch", "2.14.0"),)], results.folder / "world/seed0/shots2/synthetic/diagen/manifest.csv")
    assert "These results are mixed: torch 2.13.0, 2.14.0." in text_of(made_with(replace(results)))

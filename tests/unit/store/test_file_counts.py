"""Counts of what looks after the store: files that it opens, asks for and waits for, per image."""

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.growth_store import IMAGES_PER_GUIDE, Experiment, write_experiment
from diagen.export.image_folder import place_images, plan_export
from diagen.files import made_with
from diagen.generation.fill import manifest_of, missing_rows
from diagen.store.unneeded import find_unneeded
from diagen.store.verification import verify_results

OPENED: list[list[str]] = []
"""The lists to which the names of opened files are added."""


def _note(event: str, arguments: tuple) -> None:
    if event == "open" and OPENED:
        OPENED[-1].append(os.fspath(arguments[0]) if not isinstance(arguments[0], int) else "")


sys.addaudithook(_note)  # cannot be removed


def opened_by(work: Callable[[], object]) -> Counter[str]:
    """How often a call opens each file."""
    OPENED.append([])
    try:
        work()
    finally:
        found = OPENED.pop()
    return Counter(found)


def asked_for(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a call asks for the status of each file."""
    asked: Counter[str] = Counter()
    stat = os.stat

    def counting(path: object, *arguments: object, **options: object) -> os.stat_result:
        asked[str(path)] += 1
        return stat(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", counting)
        work()
    return asked


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return write_experiment(tmp_path, 160)


def in_store(experiment: Experiment) -> dict[str, int]:
    """Each image in the store, once."""
    return {str(experiment.store / row.file_name): 1 for row in experiment.manifest}


def test_verification_reads_each_table_and_each_image_once(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = opened_by(lambda: list(verify_results(experiment.results, experiment.store)))
    tables = ("manifest.csv", "plan.csv", "weights/paper.csv", "features.npy")
    expected = in_store(experiment) | {str(experiment.synthetic / name): 1 for name in tables}
    assert expected.items() <= opened.items()
    asked = asked_for(lambda: list(verify_results(experiment.results, experiment.store)), monkeypatch)
    assert not in_store(experiment).keys() & asked.keys()


def test_tables_of_several_generators_are_read_once(experiment: Experiment) -> None:
    """Few tables are kept in memory, but those that are compared with each other are among them."""
    weights = experiment.synthetic / "weights"
    for name in "abcdefgh":
        (weights / f"{name}.csv").write_bytes((weights / "paper.csv").read_bytes())
    other = experiment.synthetic.with_name("other")
    for path in sorted(experiment.synthetic.rglob("*.*")):
        copy = other / path.relative_to(experiment.synthetic)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    opened = opened_by(lambda: list(verify_results(experiment.results, experiment.store)))
    tables = [str(path) for path in experiment.results.rglob("*.csv")]
    assert len(tables) == 1 + 2 * (2 + 9)
    assert {path: opened[path] for path in tables} == dict.fromkeys(tables, 1)


def test_pruning_opens_no_image(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> None:
        find_unneeded(experiment.results.parent, experiment.store)

    opened, asked = opened_by(find), asked_for(find, monkeypatch)
    assert not in_store(experiment).keys() & opened.keys()
    assert opened[str(experiment.synthetic / "manifest.csv")] == opened[str(experiment.synthetic / "plan.csv")] == 1
    assert all(asked[path] <= 1 for path in in_store(experiment))


def test_a_manifest_takes_one_status_and_one_reading_per_image(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [row.file_name for row in experiment.manifest]
    asked = asked_for(lambda: missing_rows(experiment.plan, names, experiment.store), monkeypatch)
    assert asked == in_store(experiment)
    adapters = []
    monkeypatch.setattr(made_with, "TypeAdapter", lambda *_: adapters.append(_))
    opened = opened_by(lambda: manifest_of(experiment.plan, names, experiment.store))
    assert in_store(experiment).items() <= opened.items()
    assert not adapters, "composing a validator for each image takes longer than reading it"


def test_an_export_reads_each_image_once_and_waits_for_the_disk_only_for_copies(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = plan_export(experiment.shots, experiment.manifest, None, synthetic_probability=0.5, store=experiment.store)
    waits, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (waits.append(number), fsync(number))[1])
    opened = opened_by(lambda: place_images(images, tmp_path / "export"))
    assert in_store(experiment).items() <= opened.items()
    photos = len(images) // (1 + IMAGES_PER_GUIDE)
    assert len(waits) == photos == len(experiment.shots)
    again = opened_by(lambda: place_images(images, tmp_path / "export"))
    assert not in_store(experiment).keys() & again.keys() and len(waits) == photos

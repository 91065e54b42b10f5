"""Files that programs hand to each other: read back as written; damage is reported with the file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.classifiers.heads import Head, new_head
from diagen.classifiers.trained_file import read_head, write_head
from diagen.data.images_file import ImageRow, SkippedImage, read_images, read_skipped, write_images, write_skipped
from diagen.data.leakage_file import Leak, Twin, read_leaks, write_leaks
from diagen.data.shots_file import Shot, read_shots, write_shots
from diagen.diversity.features import listed_images
from diagen.embeddings.words_file import LearnedWord, read_learned_words, write_words
from diagen.errors import InputError
from diagen.files.json_files import read_calibration, read_diversity, read_metrics
from diagen.files.tables import read_features, read_rows, write_rows
from diagen.generation.manifest_file import ManifestRow, read_manifest, write_manifest
from diagen.generation.plan_file import PlanRow, read_plan, write_plan
from diagen.noise_ceilings.ceilings_file import Trial, read_ceilings, write_ceilings
from diagen.prompts.prompts_file import PromptRow, read_prompts, write_prompts
from diagen.report.summary_tables import ACCURACY, read_table
from diagen.weighting.weights_file import WeightRow, read_weights, write_weights

NAME = 'a "b", {c}\nd'  # difficult content that tables must preserve
HASH = "ab" * 32
LEAK = Leak(0, 2, "guide", "test", 9, 1, 1, (Twin("exact", 0.0, "a", "car", "b", "car"),))

BIN = {"lower": 0.0, "upper": 1.0, "confidence": 0.5, "accuracy": 0.5, "count": 3}
CALIBRATION = {
    "temperature": 1.5,
    "classes": ["car", NAME],
    "val": {"ece_before": 0.1, "ece_after": 0.05, "nll_before": 1.0, "nll_after": 0.5, "n_images": 9, "n_errors": 2},
    "reliability": {"before": [BIN], "after": [BIN]},
}
RESULT = {"accuracy": 0.5, "n_images": 2}
METRICS = {
    "dataset": "world",
    "method": "diagen",
    "seed": 0,
    "shots": 2,
    "splits": {"test": RESULT | {"per_class": {NAME: RESULT}}},
}
SHARES = {"precision": 1.0, "recall": 0.5, "density": 1.25, "coverage": 0.5}
DIVERSITY = [{"variant": "paper", "scope": "pooled", "k": 3, "n_real": 9, "n_synthetic": 9} | SHARES]


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, its writer with content for it, and its reader."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


IMAGES = Kind(
    "images.csv",
    lambda path: write_images([ImageRow(f"x/{NAME}.png", NAME, "test", 3, 4, HASH)] * 2, path),
    read_images,
)
MANIFEST = Kind(
    "manifest.csv",
    lambda path: write_manifest([ManifestRow(NAME, NAME, 0, 1, NAME, 0.025, 3, 4, HASH, 16)] * 2, path),
    read_manifest,
)
TABLES = (
    IMAGES,
    Kind(
        "skipped.csv",
        lambda path: write_skipped([SkippedImage(NAME, NAME, "test", NAME)] * 2, path),
        read_skipped,
    ),
    Kind("shots.csv", lambda path: write_shots([Shot("guide", NAME, 1, NAME, HASH)] * 2, path), read_shots),
    Kind("prompts.csv", lambda path: write_prompts([PromptRow(NAME, 0, NAME)] * 2, path), read_prompts),
    Kind(
        "plan.csv",
        lambda path: write_plan([PlanRow(NAME, 0, NAME, HASH, 2, NAME, 0.025, 3, 4)] * 2, path),
        read_plan,
    ),
    MANIFEST,
    Kind("weights.csv", lambda path: write_weights([WeightRow(NAME, 0.5, 1.5, 0.25)] * 2, path), read_weights),
    Kind(
        "ceilings.csv",
        lambda path: write_ceilings([Trial(NAME, 0.1, 0.5, 8, 0.4, True, True)] * 2, path),
        read_ceilings,
    ),
)
FIGURES = (
    Kind("calibration.json", lambda path: path.write_text(json.dumps(CALIBRATION)), read_calibration),
    Kind("metrics.json", lambda path: path.write_text(json.dumps(METRICS)), read_metrics),
    Kind("diversity.json", lambda path: path.write_text(json.dumps(DIVERSITY)), read_diversity),
    Kind("leakage.json", lambda path: write_leaks([LEAK], 0.05, path), read_leaks),
)
TENSORS = (
    Kind("head.safetensors", lambda path: write_head(new_head(["car", NAME], 4, 0), path), read_head),
    Kind(
        "words.safetensors",
        lambda path: write_words([LearnedWord("car", torch.ones(2, 8), 0.125)], path),
        read_learned_words,
    ),
)
FEATURES = Kind("features.npy", lambda path: np.save(path, np.ones((5, 3), np.float32)), read_features)
SUMMARY = Kind(
    "accuracy.csv",
    lambda path: path.write_text(",".join(ACCURACY) + "\n" + ",".join("1" for _ in ACCURACY) + "\n"),
    lambda path: read_table(path, ACCURACY),
)
LISTED = (
    Kind("listed_images.csv", IMAGES.write, listed_images),
    Kind("listed_manifest.csv", MANIFEST.write, listed_images),
)
KINDS = {kind.name: kind for kind in (*TABLES, *FIGURES, *TENSORS, *LISTED, FEATURES, SUMMARY)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    for kind in KINDS.values():
        kind.write(folder / kind.name)
    return folder


def read_damaged(kind: Kind, content: bytes, folder: Path) -> str | None:
    """Return the message when `content` is read; `None` if it is accepted."""
    path = folder / f"damaged_{kind.name}"
    path.write_bytes(content)
    try:
        kind.read(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: damaged (")
        assert str(error).endswith(f"). Delete the file and run Snakemake again: rm {path}")
        return str(error)
    return None


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe", b"{}", b"[]", b"[1]", b"null", b"[" * 100_000, b"a,b\n1,2\n", b'"', b"x" * 200_000],
)
def test_other_content_is_reported(name: str, content: bytes, folder: Path) -> None:
    no_scope_has_enough_images = name == "diversity.json" and content == b"[]"
    assert (read_damaged(KINDS[name], content, folder) is None) == no_scope_has_enough_images


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_damage_yields_rows_or_a_message(name: str, folder: Path, data: st.DataObject) -> None:
    whole = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["cut", "change", "remove", "insert"])):
        case "cut":
            whole = whole[:place]
        case "change":
            whole[place] = data.draw(st.integers(0, 255))
        case "remove":
            del whole[place : place + data.draw(st.integers(1, 20))]
        case "insert":
            whole[place:place] = data.draw(st.binary(min_size=1, max_size=8))
    read_damaged(KINDS[name], bytes(whole), folder)


@pytest.mark.parametrize("name", [kind.name for kind in TABLES])
def test_the_line_and_all_missing_columns_are_reported(name: str, folder: Path) -> None:
    columns, *rows = (folder / name).read_text("utf-8").split("\n", 1)
    text = "\n".join([columns.rpartition(",")[0], *rows])
    message = read_damaged(KINDS[name], text.encode(), folder)
    assert message is not None and f"(missing columns: {columns.rpartition(',')[2]}; check" in message
    whole = (folder / name).read_text("utf-8")
    message = read_damaged(KINDS[name], f"{whole}x\n".encode(), folder)
    assert message is not None and f"line {whole.count(chr(10)) + 1} does not have one value per column" in message
    message = read_damaged(KINDS[name], whole[:-1].encode(), folder)
    assert message is not None and "the last line is incomplete" in message


def test_an_invalid_value_is_reported_with_its_line(folder: Path) -> None:
    text = (folder / "weights.csv").read_text("utf-8").replace("0.25", "much")
    message = read_damaged(KINDS["weights.csv"], text.encode(), folder)
    assert message is not None and "line 3: could not convert string to float: 'much'" in message


@pytest.mark.parametrize(
    ("name", "key", "value", "problem"),
    [
        ("calibration.json", ("temperature",), -1, "temperature: Input should be greater than 0"),
        ("calibration.json", ("val",), {}, "val.ece_before: Field required"),
        ("metrics.json", ("splits",), {}, "splits: Dictionary should have at least 1 item"),
        ("metrics.json", ("splits", "test", "accuracy"), 1.5, "splits.test.accuracy: Input should be less than"),
        ("diversity.json", (0, "recall"), None, "0.recall: Input should be a valid number"),
        ("leakage.json", ("leaks", 0, "twins", 0, "kind"), "x", "leaks.0.twins.0.kind: Input should be 'exact'"),
    ],
)
def test_an_invalid_json_value_is_reported_with_its_place(
    name: str, key: tuple[str | int, ...], value: object, problem: str, folder: Path
) -> None:
    content = json.loads((folder / name).read_text("utf-8"))
    inner = content
    for part in key[:-1]:
        inner = inner[part]
    inner[key[-1]] = value
    message = read_damaged(KINDS[name], json.dumps(content).encode(), folder)
    assert message is not None and problem in message


@pytest.mark.parametrize(
    "features",
    [np.full((5, 3), np.nan, np.float32), np.ones(5, np.float32), np.ones((5, 3)), np.array([["a"]])],
    ids=["NaN", "one-dimensional", "float64", "text"],
)
def test_other_arrays_are_rejected(features: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", features)
    with pytest.raises(InputError, match=r"features\.npy: damaged \(not a float32 table of finite numbers\)"):
        read_features(tmp_path / "features.npy")


@pytest.mark.parametrize(
    ("weight", "bias"),
    [
        (torch.ones(2, 4), torch.ones(3)),
        (torch.ones(8), torch.ones(2)),
        (torch.ones(2, 4), torch.tensor([1.0, torch.nan])),
        (torch.ones(2, 4, dtype=torch.float64), torch.ones(2)),
    ],
    ids=["another bias", "no matrix", "NaN", "float64"],
)
def test_other_tensors_are_rejected(weight: torch.Tensor, bias: torch.Tensor, tmp_path: Path) -> None:
    write_head(Head(weight, bias, ("car", "star")), tmp_path / "head.safetensors")
    with pytest.raises(InputError, match=r"head\.safetensors: damaged \("):
        read_head(tmp_path / "head.safetensors")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("images.csv", ",test,", ",tset,"),
        ("shots.csv", "guide,", "guard,"),
        ("shots.csv", ",1,", ",,"),
        ("weights.csv", "0.25", "nan"),
        ("weights.csv", "0.25", "-1"),
    ],
)
def test_impossible_values_are_reported(name: str, old: str, new: str, folder: Path) -> None:
    text = (folder / name).read_text("utf-8")
    assert old in text
    assert read_damaged(KINDS[name], text.replace(old, new).encode(), folder) is not None


# No carriage returns, which older versions of Python treat as the end of a row: datasets and prompts reject them.
@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), min_size=2, max_size=2)))
@settings(deadline=None)
def test_all_text_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_rows(["one", "two"], rows, path)

    def parse(values: dict[str, str]) -> list[Any]:
        return [values["one"], values["two"]]

    assert read_rows(path, ["one", "two"], parse) == rows

"""The file that is written: its name, whether it may be replaced, and what the summary and the estimate state."""

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given

from diagen.config import load_config
from diagen.errors import InputError
from diagen.experiments import write
from diagen.experiments.cost import cost_of
from diagen.experiments.summary import summary_text
from tests.hostile import TEXTS
from tests.unit.experiments.photos import LARGE, SMALL, write_photos

SHARED = Path(os.environ.get("SHARED", Path(__file__).parents[4] / "shared"))
MINI = SHARED / "data/custom_coco_mini"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, on a machine with a large GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(write, "this_machine", lambda: LARGE)
    return tmp_path


@given(TEXTS)
def test_any_folder_gives_a_name_that_a_configuration_can_have(text: str) -> None:
    name = write.name_from(Path("/", text.replace("/", "").replace("\0", "") or "x"))
    assert write.configuration_file(name) == Path(f"config/{name}.yaml")


def test_names_are_those_of_the_folders(work: Path) -> None:
    names = {folder: write.name_from(Path(folder)) for folder in ("/a/My Pets (2026)", "été", "写真", "x" * 99, "..")}
    assert names.pop("..") == write.name_from(work.parent)
    assert names == {
        "/a/My Pets (2026)": "my_pets_2026", "été": "ete", "写真": "my_photos", "x" * 99: "x" * 40,
    }  # fmt: skip


def test_paths_below_the_working_directory_are_relative(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert write.photo_folder("./photos/../pets/") == Path("pets")
    assert write.photo_folder("~/pets") == Path("/home/ann/pets")
    with pytest.raises(InputError, match="no folder of photos is named"):
        write.photo_folder(" ")


def test_configurations_of_other_origin_are_never_replaced(work: Path) -> None:
    photos = write_photos(work / "photos", {"cat": 3, "dog": 3})
    write.write_configuration(photos, "mine", images_only=False)
    file = write.configuration_file("mine")
    with pytest.raises(InputError, match="OVERWRITE=1"):
        write.require_free(file, overwrite=False)
    write.require_free(file, overwrite=True)
    file.write_text(file.read_text("utf-8").replace("Written by `make experiment`", "Mine"), "utf-8")
    with pytest.raises(InputError, match="not a configuration of `make experiment`"):
        write.require_free(file, overwrite=True)
    for name in ("demo", "paper", "own_photos", "images_only"):
        assert not write.written_here(Path(__file__).parents[3] / f"config/{name}.yaml")


def test_a_configuration_of_images_is_known_by_its_photos(work: Path) -> None:
    photos = write_photos(work / "photos", {"pets/train/cat": 3, "pets/train/dog": 3})
    other = write_photos(work / "other", {"cat": 3, "dog": 3})
    order, _ = write.write_configuration(photos, "mine", images_only=True)
    assert write.is_for(Path(order.file), photos) and write.is_for(Path(order.file), photos / "pets")
    assert not write.is_for(Path(order.file), other) and not write.is_for(Path("config/none.yaml"), photos)
    Path(order.file).write_text(Path(order.file).read_text("utf-8").split("experiment:")[0], "utf-8")
    assert not write.is_for(Path(order.file), photos)


def test_nothing_is_written_for_photos_with_problems(work: Path) -> None:
    photos = write_photos(work / "photos", {"cat": 1, "dog": 3})
    with pytest.raises(InputError, match="one photo of `cat`"):
        write.write_configuration(photos, "mine", images_only=False)
    assert not (work / "config").exists()


def test_the_cost_counts_words_and_images_of_all_folds(work: Path) -> None:
    photos = write_photos(work / "photos", {"cat": 5, "dog": 5, "fish": 5})
    order, cost = write.write_configuration(photos, "mine", images_only=False)
    assert cost.words == 3 * 5 * 3  # seeds, folds, classes
    assert cost.images == cost.words * 4 * 2 * 10  # photos, generators, images per photo
    assert list(cost.hours) == ["words", "images", "weights", "classifiers", "diversity"]
    # 46 s per word and 0.29 s per image, measured on an H100 (README.md)
    assert 46 / 2 < cost.hours["words"] * 3600 / cost.words < 46 * 2
    assert 0.29 / 2.5 < cost.hours["images"] * 3600 / cost.images < 0.29 * 2.5
    drawn = write_photos(work / "many", {"cat": 40, "dog": 40})
    assert write.write_configuration(drawn, "many", images_only=False)[1].words == 2 * 3 * 3
    _, images = write.write_configuration(drawn, "images", images_only=True)
    assert images.words == 2 and images.images == 2 * 40 * 10 and list(images.hours) == ["words", "images", "weights"]
    values = yaml.safe_load(Path(order.file).read_text("utf-8"))
    values["seeds"] = [0, 1]
    assert cost_of(order, values).words == 2 * 5 * 3


def test_the_summary_names_what_was_found_and_the_commands(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = write_photos(work / "photos", {"train/cat": 9, "train/dog": 12, "test/cat": 3, "test/dog": 3})
    (photos / "train/cat/IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    text = summary_text(*write.write_configuration(photos, "pets", images_only=False))
    for part in (
        "2 classes, 9 to 12 photos each, 21 in all to learn from, 6 for testing",
        "HEIC photos, which are not supported: IMG_1.HEIC",
        "3 seeds, learning from 2, 4, 8 photos per class",
        "full size, for 1 GPU (NVIDIA A10, 24 GB), 8 CPU cores",
        "18 words to learn and 1,680 images to generate",
        "Wrote    config/pets.yaml",
        ".venv/bin/snakemake --cores 1 download_models --configfile config/pets.yaml\n",
        ".venv/bin/snakemake --cores 1 preflight --configfile config/pets.yaml\n",
        ".venv/bin/snakemake --cores all --configfile config/pets.yaml\n",
    ):
        assert part in re.sub(r"\n {9}", " ", text)
    assert max(map(len, text.splitlines())) <= 100 and text.endswith("The verdict will be in results/pets/report.html")
    monkeypatch.setattr(write, "this_machine", lambda: SMALL)
    small = summary_text(*write.write_configuration(photos, "pets", images_only=False))
    assert "THE DEMO'S SMALL ONES, WHICH KNOW DRAWINGS ONLY" in small and "download_models" not in small
    assert re.search(r"up to [\d.]+ (h|min) on 2 CPU cores", small)


def test_images_are_made_without_further_commands(work: Path) -> None:
    photos = write_photos(work / "photos", {"cat": 3, "dog": 3})
    text = summary_text(*write.write_configuration(photos, "pets_images", images_only=True))
    assert "now downloads the models and makes the images, in results/pets_images/export/" in text
    assert "snakemake" not in text


@pytest.mark.skipif(not MINI.is_dir(), reason=f"{MINI} is not on this machine")
def test_real_photos_in_split_folders(work: Path) -> None:
    order, _ = write.write_configuration(MINI, "coco_mini", images_only=False)
    assert len(order.survey.classes) == 6 and not order.survey.unreadable
    config = load_config(yaml.safe_load(Path(order.file).read_text("utf-8")), order.file, check_files=False)
    assert order.survey.tested and config.datasets["coco_mini"].root == str(MINI)
    assert max(config.shot_counts) < min(order.survey.learned.values())

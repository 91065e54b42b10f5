"""Written configurations load, for every layout, machine and name; their comments hold nothing that would end them."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from diagen.config import Config, load_config
from diagen.config.datasets import Coco, CustomCoco, Focus, ImageFolder
from diagen.experiments.document import document, in_yaml
from diagen.experiments.machine import Machine
from diagen.experiments.order import Order
from diagen.experiments.plan import plan_experiment, plan_images
from diagen.experiments.survey import Survey, look_at
from diagen.letters import CONTROL
from tests.hostile import LABELS, TEXTS
from tests.unit.experiments.photos import LARGE, SMALL, write_photos

HEADING = "# --- Models of full size "
DATASETS = [
    ImageFolder(adapter="image_folder", root="photos"),
    ImageFolder(adapter="image_folder", root="photos", train_val="Train", val="valid set", test="Test: all"),
    ImageFolder(adapter="image_folder", root="/data/photos", test=None),
    CustomCoco(adapter="custom_coco", root="data/custom_coco"),
    Focus(adapter="focus", root="data/focus"),
    Coco(adapter="coco", root="data/coco"),
]
MACHINES = [SMALL, LARGE, Machine(4, "", None, True, 4.0, 64), Machine(1, "Small", 4.0, False, 64.0, 1)]


def load(text: str) -> Config:
    """The configuration in a text, validated."""
    return load_config(yaml.safe_load(text), "config/photos.yaml", check_files=False)


def uncommented(text: str) -> str:
    """The text after following its instruction to use the models of full size."""
    head, rest = text.split("# === ")
    full = rest.split(HEADING)[1].split("#\n", 2)[2]
    return head + re.sub(r"^# ?", "", full, flags=re.MULTILINE)


# Reading YAML takes its time, which shrinking a failing example multiplies.
@settings(max_examples=40, phases=(Phase.explicit, Phase.generate))
@given(
    st.sampled_from(DATASETS),
    st.lists(LABELS, min_size=2, max_size=5, unique=True),
    st.lists(st.integers(1, 60), min_size=5, max_size=5),
    st.sampled_from(MACHINES),
    st.booleans(),
    TEXTS,
)
def test_every_written_configuration_loads(
    dataset: ImageFolder, classes: list[str], sizes: list[int], machine: Machine, images_only: bool, text: str
) -> None:
    splits = (
        ["train_val"] + ["test"] * (getattr(dataset, "test", "test") is not None) + ["val"] * ("coco" in str(dataset))
    )
    counts = {split: Counter(dict(zip(classes, sizes, strict=False))) for split in splits}
    survey = Survey(dataset, text, counts, {text: [Path(text.replace("\0", ""))]}, [f"passed over {text}"])
    if not images_only and not survey.tested and min(survey.learned.values()) == 1:
        return
    plan = plan_images(survey) if images_only else plan_experiment(survey)
    written = document(Order(survey, plan, machine, "photos", "config/photos.yaml", images_only))
    config = load(written)
    assert config.shots == (plan.shots or "all") and config.guide_pool == plan.guide_pool
    assert config.folds == max(1, plan.folds) and config.seeds == plan.seeds
    if not (images_only and isinstance(dataset, Focus | Coco)):  # these have enough photos for it
        assert config.needs_validation == plan.keeps_best
    assert config.datasets["photos"].root == dataset.root and config.datasets["photos"].on_bad_image == "skip"
    assert list(config.methods) == (["diagen"] if images_only else ["standard", "da_fusion", "diagen"])
    assert (config.models.diffusion.repository is not None) == machine.learns_words
    per_guide = f"each gives {config.generators['diagen'].images_per_guide} synthetic images"
    assert (per_guide in written.replace("\n# ", " ")) == images_only
    if not machine.learns_words:
        full = load(uncommented(written))
        large = document(Order(survey, plan, LARGE, "photos", "config/photos.yaml", images_only))
        assert full == load(large).model_copy(update={"execution": full.execution})
    lines = written.split("\n")
    assert max(len(line) for line in lines if line.startswith("# ") and " " in line[2:100]) <= 400
    assert not [line for line in lines if line != line.rstrip()]
    assert "\n\n\n" not in written and written.endswith("\n") and not written.endswith("\n\n")


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (
            {"cat": 5, "dog": 5},
            ["test: none  # the folds below test each photo once", "evaluation: {folds: 5}", "shots: all", "15 rounds"],
        ),
        (
            {"train/cat": 9, "train/dog": 30, "test/cat": 4, "test/dog": 4},
            ["train_val: train", "shots: [2, 4, 8]", "the smallest class has 9", "downstream: {selection: last"],
        ),
        (
            {"cat": 40, "dog": 50},
            ["test_per_class: 20  # ", "replace `test_per_class` above by `test: none`", "`evaluation: {folds: 5}`"],
        ),
        (
            {"train-val/cat": 2, "train-val/dog": 9, "test/cat": 4, "test/dog": 4},
            ["Classes are small and unequal (2 to 9 photos)", "shots: all", "guide_pool: 9"],
        ),
    ],
    ids=["folds", "test folder", "drawn test photos", "all photos"],
)
def test_the_comments_explain_the_choices(tmp_path: Path, folders: dict[str, int], parts: list[str]) -> None:
    survey = look_at(write_photos(tmp_path, folders))
    text = document(Order(survey, plan_experiment(survey), LARGE, "photos", "config/photos.yaml"))
    joined = re.sub(r"\n# ", " ", text)
    assert [part for part in parts if part not in joined] == []
    for name, number in survey.learned.items():
        assert re.search(rf"^#   {name} +{number}\b", text, re.MULTILINE)
    assert "selection: last" not in text or "selection: last" in str(parts) or survey.learned["cat"] < 13


def test_without_a_large_gpu_the_warning_is_loud(tmp_path: Path) -> None:
    survey = look_at(write_photos(tmp_path, {"cat": 5, "dog": 5}))
    text = document(Order(survey, plan_experiment(survey), SMALL, "photos", "config/photos.yaml"))
    assert "\n# === THE DEMO'S SMALL MODELS, which know drawings only ====" in text
    assert "Models of full size need a GPU with 6 GB or more, and this machine has no NVIDIA GPU" in text
    assert "\n# models:\n#   diffusion: {repository: CompVis/" in text and HEADING in text


@given(TEXTS)
def test_values_are_quoted_where_yaml_needs_it(text: str) -> None:
    text = CONTROL.sub("", text)  # which the path of a configuration cannot contain
    written = in_yaml(text)
    assert "\n" not in written
    assert yaml.safe_load(f"key: {written}  # comment\n") == {"key": text}

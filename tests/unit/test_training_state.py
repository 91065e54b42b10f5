"""Trainings that are killed go on from their checkpoints to the same bytes; losses that are not finite stop them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diagen import classifier
from diagen.backbones import load_backbone
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.recipe import Recipe
from diagen.saved_state import load_state, save_state
from diagen.shots import Shot, write_shots

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
# The program as it is, but it stops itself without warning after so many epochs, or tells which ones it trains.
STOPPED = """
import os, runpy, sys
from diagen import classifier
made, views = [], classifier.epoch_views
def counted(*arguments):
    if len(made) == {epochs}:
        os.kill(os.getpid(), 9)
    made.append(1)
    return views(*arguments)
classifier.epoch_views = counted
try:
    runpy.run_path({program!r}, run_name="__main__")
finally:
    print(len(made))
"""


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    generator, rows = np.random.default_rng(0), []
    for name in ("boat", "red_car"):
        for role, number in (("guide", 0), ("guide", 1), ("val", 2), ("val", 3), ("test", 4)):
            path = folder / f"{name}{number}.png"
            Image.fromarray(generator.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(path)
            rows.append(Shot(role, name, number if role == "guide" else None, str(path), "0" * 64))
    write_shots(rows, folder / "shots.csv")
    return folder / "shots.csv"


def train(
    program: str, cell: Path, store: Path, output: Path, settings: dict, epochs: int = -1
) -> tuple[int, list[str]]:
    """Train in a process of its own, perhaps killed after so many epochs: its exit status, and what it printed.

    The last line is the number of epochs that it trained.
    """
    arguments = [cell, "--settings", json.dumps(settings), "--seed", "0", "--shots", "2", "--store", store]
    arguments += ["--dataset", "world"] if program == "train_guide_classifier" else []
    arguments += ["--output", output, "--device", "cpu", "--torch-threads", "1", "--micro-batch", "4"]
    code = STOPPED.format(epochs=epochs, program=str(SCRIPTS / f"{program}.py"))
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return result.returncode, result.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("train_guide_classifier", {"batch_norm": "training", "kept_epoch": "last", "validation": "resampled"}),
        ("train_downstream", {"augmentation": "cutmix"}),
    ],
    ids=["guide as published", "downstream"],
)
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(
    program: str, options: dict, cell: Path, stand_ins: Path, tmp_path: Path
) -> None:
    recipe = {"epochs": 13, "iterations": 2, "batch": 4, "learning_rate": 0.01, **options}
    common = {"backbone": {"path": str(stand_ins / "resnet")}}
    if program == "train_guide_classifier":
        settings = common | {"guide": {"patience": 20, **recipe}, "image_size": 32}
    else:
        settings = common | {"method": "any", "dataset": "world", "synthetic_probability": 0.0}
        settings["downstream"] = recipe | {"image_size": 32}
    status, told = train(program, cell, tmp_path / "store", tmp_path / "whole", settings)
    assert (status, told[-1]) == (0, "13"), told
    assert list((tmp_path / "store/checkpoints").iterdir()) == []
    status, _ = train(program, cell, tmp_path / "store", tmp_path / "again", settings, epochs=12)
    assert status == -signal.SIGKILL and not (tmp_path / "again").exists()
    (checkpoint,) = (tmp_path / "store/checkpoints").iterdir()
    content = checkpoint.read_bytes()
    status, told = train(program, cell, tmp_path / "store", tmp_path / "again", settings)
    assert (status, told[-1]) == (0, "3"), told
    names = {path.name for path in (tmp_path / "whole").iterdir()}
    assert "head.safetensors" in names and "history.csv" in names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not checkpoint.exists()

    # A damaged one is worth a warning.
    checkpoint.write_bytes(content[:-100])
    status, told = train(program, cell, tmp_path / "store", tmp_path / "third", settings)
    assert (status, told[-1]) == (0, "13"), told
    assert any(line.startswith(f"warning: the checkpoint {checkpoint} is damaged") for line in told)
    assert (tmp_path / "third/head.safetensors").read_bytes() == (tmp_path / "whole/head.safetensors").read_bytes()


def test_states_are_read_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.safetensors"
    assert load_state(path) is None and capsys.readouterr().err == ""
    tensors = {"a": torch.rand(3, 4), "step": torch.tensor(7.0), "generator": torch.Generator().get_state()}
    save_state(path, tensors, {"history": [[1, 0.1]]})
    found, values = load_state(path)
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert values == {"history": [[1, 0.1]]}
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert load_state(path) is None, place
    for length in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load_state(path) is None, length
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["training", "validation"])
def test_a_loss_that_isnt_finite_names_classes_and_place(stand_ins: Path, broken: str) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), torch.device("cpu"))
    width = backbone(torch.zeros(1, 3, 32, 32)).shape[1]
    features = torch.randn(4, width, generator=torch.Generator().manual_seed(1))
    if broken == "validation":
        features[2] = torch.nan
    images = [torch.full((3, 36, 40), 60 * number, dtype=torch.uint8) for number in range(4)]
    labels = torch.tensor([0, 0, 1, 1])
    recipe = Recipe(2, 3, 4, 1e37 if broken == "training" else 1e-3, 0.0, "standard", 32, "accuracy")
    place = "step 2 of epoch 1" if broken == "training" else "the validation of epoch 1"
    with pytest.raises(InputError, match=rf"the loss of .*car.* isn't finite in {place} of training; lower") as caught:
        classifier.train_head(
            backbone, images, labels, np.full(4, 1 / 4), ("boat", "car"), (lambda: features, labels), recipe,
            seed_parts=("world", 0), micro_batch=4, device=torch.device("cpu"),
        )  # fmt: skip
    if broken == "validation":
        assert "boat" not in str(caught.value)

"""Killed trainings resume from their checkpoints with the same bytes; non-finite losses stop them."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import train_downstream
import train_guide_classifier
from diagen.classifiers import linear_probe
from diagen.classifiers.recipe import Recipe
from diagen.config.models import BackboneModel
from diagen.data.shots_file import Shot, write_shots
from diagen.errors import InputError
from diagen.files.checkpoints import load_state, save_state
from diagen.models.backbones import load_backbone

# The unchanged program, killed at the start of the 13th epoch.
KILLED = """
import os, runpy
from diagen.classifiers import linear_probe
started, views = [], linear_probe.epoch_views
def counted(*arguments):
    started.append(1)
    return os.kill(os.getpid(), 9) if len(started) == 13 else views(*arguments)
linear_probe.epoch_views = counted
runpy.run_path({program!r}, run_name="__main__")
"""


@pytest.fixture(scope="module")
def shots_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    generator, rows = np.random.default_rng(0), []
    for name in ("boat", "red_car"):
        for role, number in (("guide", 0), ("guide", 1), ("val", 2), ("val", 3), ("test", 4)):
            path = folder / f"{name}{number}.png"
            Image.fromarray(generator.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(Shot(role, name, number if role == "guide" else None, str(path), digest))
    write_shots(rows, folder / "shots.csv")
    return folder / "shots.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options"),
    [
        (train_guide_classifier, {"batch_norm": "training", "selection": "last", "validation": "resampled"}),
        (train_downstream, {"augmentation": "cutmix"}),
    ],
    ids=["guide as published", "downstream"],
)
def test_a_killed_training_resumes_with_the_same_bytes(
    program: ModuleType,
    options: dict,
    shots_file: Path,
    stand_ins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = {"epochs": 14, "iterations": 2, "batch": 4, "learning_rate": 0.01, **options}
    settings = {"backbone": {"path": str(stand_ins / "resnet")}}
    if program is train_guide_classifier:
        settings |= {"guide_classifier": {"patience": 20, **recipe}, "image_size": 32}
    else:
        settings |= {"method": "any", "synthetic_probability": 0.0}
        settings["downstream"] = recipe | {"image_size": 32}
    arguments = [shots_file, "--settings", json.dumps(settings), "--dataset", "world", "--seed", 0]
    arguments += ["--shots", 2, "--store", tmp_path / "store"]
    arguments += ["--device", "cpu", "--torch-threads", 1, "--micro-batch", 4, "--output"]
    started, views = [], linear_probe.epoch_views
    monkeypatch.setattr(linear_probe, "epoch_views", lambda *those: (started.append(1), views(*those))[1])

    def epochs(output: str) -> int:
        """Train in this process, and count the epochs."""
        started.clear()
        monkeypatch.setattr("sys.argv", [program.__file__, *map(str, [*arguments, tmp_path / output])])
        program.main()
        return len(started)

    def same(output: str) -> bool:
        names = {path.name for path in (tmp_path / "whole").iterdir()}
        return "history.csv" in names and all(
            (tmp_path / output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes() for name in names
        )

    assert epochs("whole") == 14
    assert list((tmp_path / "store/checkpoints").iterdir()) == []
    code = KILLED.format(program=program.__file__)
    killed = subprocess.run(
        [sys.executable, "-c", code, *map(str, [*arguments, tmp_path / "again"])],
        env=os.environ | {"PYTHONPATH": str(Path(program.__file__).parent)},
    )
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "again").exists()
    (checkpoint,) = (tmp_path / "store/checkpoints").iterdir()
    content = checkpoint.read_bytes()
    assert epochs("again") == 4 and same("again"), "ten epochs were kept"
    assert not checkpoint.exists()

    checkpoint.write_bytes(content[:-100])
    assert epochs("anew") == 14 and same("anew")
    assert f"warning: {checkpoint}: damaged checkpoint (" in capsys.readouterr().err


def test_a_state_that_cannot_be_read_is_reported_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.mkdir()
    with pytest.raises(InputError, match=r"state\.safetensors: cannot be read .* run Snakemake again: rm -r .*/state"):
        load_state(path)


def test_damaged_states_are_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert "damaged checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["training", "validation"])
def test_a_non_finite_loss_names_classes_and_place(stand_ins: Path, broken: str) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), torch.device("cpu"))
    width = backbone(torch.zeros(1, 3, 32, 32)).shape[1]
    features = torch.randn(4, width, generator=torch.Generator().manual_seed(1))
    if broken == "validation":
        features[2] = torch.nan
    images = [torch.full((3, 36, 40), 60 * number, dtype=torch.uint8) for number in range(4)]
    labels = torch.tensor([0, 0, 1, 1])
    recipe = Recipe(2, 3, 4, 1e37 if broken == "training" else 1e-3, 0.0, "standard", 32, "accuracy")
    place = "training, epoch 1, step 2" if broken == "training" else "training, epoch 1, validation"
    with pytest.raises(InputError, match=rf"^{place}: the loss of .*car.* is not finite\. Lower the `learn") as caught:
        linear_probe.train_head(
            backbone, images, labels, np.full(4, 1 / 4), ("boat", "car"), (lambda: features, labels), recipe,
            seed_parts=("world", 0), micro_batch=4, device=torch.device("cpu"),
        )  # fmt: skip
    if broken == "validation":
        assert "boat" not in str(caught.value)

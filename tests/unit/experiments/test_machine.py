"""Which models a machine can run, by what NVIDIA's tool reports."""

from pathlib import Path

import pytest

from diagen.experiments.machine import Machine, needed_gb, this_machine
from diagen.runtime import gpu_lease


def tool(folder: Path, *cards: str) -> None:
    """An `nvidia-smi` in `folder` that reports cards such as `NVIDIA A10, 23028, 8.6`."""
    lines = "".join(
        f"GPU {number}: {card.split(',')[0]} (UUID: GPU-{number}abc)\n" for number, card in enumerate(cards)
    )
    cases = "".join(f'*--id=GPU-{number}abc*) echo "{card}";;\n' for number, card in enumerate(cards))
    script = f'#!/bin/sh\ncase "$*" in\n-L) printf "{lines}";;\n{cases}esac\n'
    (folder / "nvidia-smi").write_text(script)
    (folder / "nvidia-smi").chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv(gpu_lease.VISIBLE, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("card", "fits"),
    [
        ("NVIDIA A10, 23028, 8.6", True),
        ("NVIDIA GeForce RTX 3050, 6144, 8.6", True),
        ("NVIDIA GeForce RTX 3050, 4096, 8.6", False),
        ("Tesla T4, 15360, 7.5", True),
        ("NVIDIA GeForce GTX 1060 6GB, 6144, 6.1", False),  # words in float32 need more
    ],
)
def test_the_memory_of_the_gpu_decides(path: Path, card: str, fits: bool) -> None:
    tool(path, card)
    machine = this_machine()
    assert machine.gpus == 1 and machine.gpu == card.split(",")[0] and machine.learns_words == fits
    assert f"1 GPU ({machine.gpu}, {int(card.split(', ')[1]) / 1024:.0f} GB)" in str(machine)


def test_the_smallest_of_several_gpus_decides(path: Path) -> None:
    tool(path, "NVIDIA A10, 23028, 8.6", "NVIDIA T1000, 4096, 7.5")
    machine = this_machine()
    assert machine.gpus == 2 and machine.gpu == "NVIDIA T1000" and not machine.learns_words


def test_a_machine_without_gpu(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_lease, "DRIVER", path / "none")
    machine = this_machine()
    assert machine.gpus == 0 and not machine.learns_words and str(machine).startswith("no NVIDIA GPU, ")


def test_a_gpu_of_unknown_memory_is_tried(path: Path) -> None:
    assert Machine(1, "", None, True, None, 1).learns_words
    assert str(Machine(1, "", None, True, None, 1)) == "1 GPU (memory unknown), 1 CPU core"


def test_float32_needs_more_than_bfloat16() -> None:
    assert 4 < needed_gb(True) <= 6 < needed_gb(False) <= 8


@pytest.mark.parametrize(
    ("gb", "cores", "gpus", "jobs"),
    [(24, 8, 1, 4), (24, 4, 1, 2), (16, 64, 1, 2), (80, 16, 4, 2), (6, 8, 1, 1), (None, 8, 1, 1)],
)
def test_classifiers_share_a_gpu_that_has_room_for_them(gb: float | None, cores: int, gpus: int, jobs: int) -> None:
    assert Machine(gpus, "", gb, True, None, cores).jobs_per_gpu == jobs

"""The device of llama.cpp: imaginary GPUs, real leases, and the build's answer whether it can use a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diagen.runtime.llama_device import built_for_gpu

ROOT = Path(__file__).parents[3]
PROGRAM = """
from diagen.runtime import llama_device
import llama_cpp
llama_device.built_for_gpu = lambda: {built}
llama_cpp.llama_supports_gpu_offload = lambda: {offloads}
from diagen.runtime.gpu_lease import lease_gpu
from diagen.runtime.llama_device import prepare_llama
print(prepare_llama("{device}"))
print("free" if {free} and lease_gpu() else "")
"""
TOOL = """#!/bin/sh
echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa-0)"
"""


def run(
    device: str, offloads: bool, folder: Path, gpus: str = "0", free: bool = False, built: bool | None = None
) -> tuple[list[str], str]:
    """The lines that the program prints, and its messages."""
    (folder / "nvidia-smi").write_text(TOOL)
    (folder / "nvidia-smi").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    environment = kept | {"PYTHONPATH": str(ROOT / "workflow_scripts"), "TMPDIR": str(folder)}
    environment |= {"CUDA_VISIBLE_DEVICES": gpus, "PATH": f"{folder}:{os.environ['PATH']}"}
    code = PROGRAM.format(device=device, offloads=offloads, free=free, built=offloads if built is None else built)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr


def test_a_gpu_is_leased_and_recorded(tmp_path: Path) -> None:
    (device, _), messages = run("auto", True, tmp_path)
    assert device == "cuda NVIDIA H100 80GB HBM3"
    assert messages == "on the GPU GPU-aaaa-0 (NVIDIA H100 80GB HBM3)\n"


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_build_without_gpus_uses_the_cpu_and_frees_the_gpu(device: str, tmp_path: Path) -> None:
    (used, free), messages = run(device, False, tmp_path, free=True)
    assert (used, free) == ("cpu", "free")
    (line,) = [line for line in messages.splitlines() if line.startswith("on the CPU")]
    assert messages.count("on the GPU") == 1, "only the lease that shows that the GPU is free"
    assert "CMAKE_ARGS=-DGGML_CUDA=on .venv/bin/python -m pip install --force-reinstall" in line


def test_a_gpu_that_a_build_for_gpus_cannot_use_is_freed(tmp_path: Path) -> None:
    (used, free), messages = run("auto", False, tmp_path, free=True, built=True)
    assert (used, free) == ("cpu", "free") and "on the CPU: this build" in messages


@pytest.mark.parametrize(
    ("file", "built"), [("libggml-cuda.so", True), ("libggml-metal.dylib", True), ("libggml-cpu.so", False)]
)
def test_a_build_for_gpus_is_found_by_its_files(
    file: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp/lib").mkdir(parents=True)
    for name in ("__init__.py", f"lib/{file}", "lib/libggml-base.so"):
        (tmp_path / "llama_cpp" / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    assert built_for_gpu() is built


def test_a_machine_without_gpus_uses_the_cpu(tmp_path: Path) -> None:
    (device, _), messages = run("auto", False, tmp_path, gpus="")
    assert device == "cpu" and messages == "on the CPU: there is no GPU\n"


def test_a_configured_cpu_asks_for_no_gpu(tmp_path: Path) -> None:
    (device, free), messages = run("cpu", True, tmp_path, free=True)
    assert (device, free) == ("cpu", "free")
    assert "on the CPU" not in messages

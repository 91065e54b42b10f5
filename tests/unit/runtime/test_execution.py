"""The device of a program: what it can compute, and the message when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch._inductor.config

from diagen.errors import InputError
from diagen.runtime.execution import device_problem, find_device, try_compiling, try_device, why_no_gpu
from diagen.runtime.gpu_lease import Gpu, describe_gpu

K80 = "Tesla K80 (compute capability 3.7, driver 470.82.01)"
BUILD = "torch 2.13.0 for CUDA 12.6"
KERNEL = """CUDA error: no kernel image is available for execution on the device
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""
DRIVER = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading "
    "and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: "
    "https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)


@pytest.mark.parametrize(
    ("error", "dtype", "remedy"),
    [
        (KERNEL, "float32", f"Use a newer GPU, install a torch that supports this one ({BUILD} does not), or set "),
        (KERNEL, "bfloat16", "Use a newer GPU"),
        ("CUDA error: CUBLAS_STATUS_ARCH_MISMATCH when calling `cublasCreate(handle)`", "float32", "Use a newer GPU"),
        (DRIVER, "float32", f"Update NVIDIA's driver to one that supports {BUILD}, install an older torch, or set "),
        ("CUDA error: CUDA driver version is insufficient for CUDA runtime version", "float32", "Update NVIDIA's"),
        ("Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU", "float32", "Update NVIDIA"),
        ("GET was unable to find an engine to execute this computation", "bfloat16", "Set `dtype` of `models.diff"),
        ("\"slow_conv2d_cpu\" not implemented for 'Half'", "float16", "Set `dtype` of `models.diffusion`"),
        ("CUDA error: unspecified launch failure", "float32", "Check the device with `nvidia-smi`"),
    ],
)
def test_the_message_names_device_reason_and_remedy(error: str, dtype: str, remedy: str) -> None:
    text = device_problem(error, K80, dtype, BUILD)
    assert text.startswith(f"execution.device: the {K80} cannot compute in {dtype} (")
    assert remedy in text and "\n" not in text and "asynchronously" not in text


def test_a_gpu_without_an_engine_for_a_small_convolution_lacks_the_precision_not_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("GET was unable to find an engine to execute this computation")

    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    with pytest.raises(InputError, match="cannot compute in bfloat16 .GET was unable"):
        try_device("cpu", "bfloat16")


@pytest.mark.parametrize("dtype", ["auto", "float32", "float16", "bfloat16"])
def test_the_cpu_computes_in_each_precision(dtype: str) -> None:
    try_device("cpu", dtype)


def test_a_precision_without_convolutions_is_refused() -> None:
    """The CPU has no convolution of 8-bit floating point numbers, as old GPUs have none of bfloat16."""
    with pytest.raises(InputError, match=r"the device `cpu` cannot compute in float8_e4m3fn \(.+\)\. Set `dtype`"):
        try_device("cpu", "float8_e4m3fn")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch has a GPU")
def test_a_card_that_torch_cannot_use_is_named(nvidia_smi: Path) -> None:
    assert why_no_gpu().startswith("torch cannot use the Tesla K80 (compute capability 3.7, driver 470.82.01): ")
    with pytest.raises(InputError, match=r"execution\.device is `cuda`, but torch cannot use the Tesla K80 .*`cpu`"):
        find_device("cuda")
    assert find_device("auto") == "cpu"


def test_without_a_card_there_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert why_no_gpu() == ""


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in of NVIDIA's tool, with the answers of one for a Tesla K80."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        '  -L) echo "GPU 0: Tesla K80 (UUID: GPU-1a2b)" ;;\n'
        "  --query-gpu=compute_cap) echo 3.7 ;;\n"
        "  --query-gpu=driver_version) echo 470.82.01 ;;\n"
        "  *) echo 'Field is not a valid field to query.'; exit 2 ;;\n"
        "esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tool


def test_older_tools_know_fewer_fields(nvidia_smi: Path) -> None:
    gpu = Gpu("GPU-1a2b", "Tesla K80")
    assert describe_gpu(gpu) == K80
    nvidia_smi.write_text(nvidia_smi.read_text().replace("--query-gpu=compute_cap", "--query-gpu=unknown"))
    assert describe_gpu(gpu) == "Tesla K80 (driver 470.82.01)"


def test_without_nvidias_tool_the_driver_reports_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    version = tmp_path / "version"
    monkeypatch.setattr("diagen.runtime.gpu_lease.DRIVER_VERSION", version)
    assert describe_gpu(Gpu("0")) == "GPU 0 (driver unknown)"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Tue Sep 14 17:05:41 UTC 2021\n")
    assert describe_gpu(Gpu("0")) == "GPU 0 (driver 470.82.01)"


def test_programs_report_a_device_in_one_line(tmp_path: Path) -> None:
    """A program with a precision that its device lacks ends with one line, not with a traceback."""
    code = (
        "from diagen.runtime.execution import prepare_torch\n"
        "from diagen.runtime.program import run\n"
        "run(lambda: prepare_torch('cpu', 1, 'float8_e4m3fn'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path("workflow_scripts").resolve())},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("error: execution.device: the device `cpu` cannot compute in float8_e4m3fn")


def test_a_machine_that_cannot_compile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    torch.compiler.reset()
    expected = (
        r"execution\.compile: torch cannot compile on this machine \(.*compiler.*\)\. Install .* set `execution\.c"
    )
    with pytest.raises(InputError, match=expected) as raised:
        try_compiling("cpu")
    assert "\n" not in str(raised.value)

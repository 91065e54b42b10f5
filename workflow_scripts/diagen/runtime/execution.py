"""Device and threads of torch in a program. They decide how a program runs, not what it computes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from diagen.errors import InputError
from diagen.runtime.gpu_lease import describe_gpu, lease_for, visible_gpus

if TYPE_CHECKING:
    import torch


# The libraries read these when they are imported. Models are downloaded before any stage: no stage contacts a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
# cuBLAS is deterministic only with a workspace of fixed size.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# torch then counts the GPUs with the driver, without initializing CUDA.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
# Logs contain our progress lines, not the progress bars and hints of libraries.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


OLD_DRIVER = re.compile(r"driver.*(too old|insufficient)|no NVIDIA driver", re.IGNORECASE)
NO_KERNEL = ("no kernel image", "invalid device function", "ARCH_MISMATCH", "not compatible with the current PyTorch")
"""Texts of errors of torch and CUDA for a driver, or a GPU, that this build of torch does not support."""
ON_CPU = "set `execution.device: cpu`"


def prepare_torch(device: str, threads: int, *dtypes: str) -> torch.device:
    """Lease a GPU if `device` allows one, set torch's threads, disable nondeterminism and TF32; returns the device.

    Call this before torch is imported: CUDA sees only the leased GPU if it is not initialized yet. The configuration
    sets the threads, not the number of granted cores, because rounding depends on the number of threads.
    Raises `InputError` when the device is not available, or cannot compute in float32 and each of `dtypes`.
    """
    lease = lease_for(device)
    import torch  # here, so that `--help` does not wait for it

    torch.set_num_threads(threads)
    kind = find_device(device)
    # On CUDA a warning is not enough: torch then uses nondeterministic backward passes of fused attention and of cuDNN
    # (measured on an H200 with full-size words: bench/results).
    torch.use_deterministic_algorithms(True, warn_only=kind != "cuda")
    # Determinism does not require filled memory, and filling costs 5 to 17 % of the time on a GPU.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if lease and kind != "cuda":  # this torch cannot use the GPU, other processes can
        lease.release()
    if device == "auto" and kind == "cpu":
        print(f"on the CPU: {why_no_gpu() or 'torch finds no GPU'}", file=sys.stderr, flush=True)
    from diagen.runtime.gpu_memory import explain_full_memory

    for dtype in dict.fromkeys(("float32", *dtypes)):
        with explain_full_memory("a first convolution"):
            try_device(kind, dtype)
    return torch.device(kind)


def find_device(device: str) -> str:
    """Resolve `device` to `cuda`, `mps` or `cpu`. Raises `InputError` when it is not available."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name in available if available[name])
    if not available[device]:
        reason = why_no_gpu() if device == "cuda" else ""
        raise InputError(
            f"execution.device is `{device}`, but {reason or 'torch finds no such device'}. Set it to `auto` or `cpu`"
        )
    return device


def find_dtype(dtype: str, device: torch.device) -> str:
    """Resolve `auto` to `bfloat16` on a GPU that computes in it (compute capability 8.0 or higher), else `float32`."""
    import torch

    if dtype != "auto":
        return dtype
    with_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if with_bfloat16 else "float32"


def why_no_gpu() -> str:
    """Explain why torch cannot use an NVIDIA GPU of this machine; empty if it has none."""
    import torch

    gpus = visible_gpus()
    if not gpus:
        return ""
    reason = "this torch is built without CUDA"
    if torch.version.cuda is not None:
        try:
            torch.cuda.init()
            reason = "CUDA reports no GPU"
        except (AssertionError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
    return f"torch cannot use the {describe_gpu(gpus[0])}: {reason}"


def try_device(kind: str, dtype: str) -> None:
    """Compute one small convolution in `dtype`, which may be `auto`, on the device `kind`.

    Raises `InputError` when the device cannot, and `RuntimeError` when its memory is full.
    """
    import torch

    from diagen.runtime.gpu_memory import NO_ENGINE, is_full

    dtype = find_dtype(dtype, torch.device(kind))
    try:
        images = torch.ones(1, 4, 8, 8, device=kind, dtype=getattr(torch, dtype))
        weights = torch.ones(4, 4, 3, 3, device=kind, dtype=images.dtype)
        torch.nn.functional.conv2d(images, weights).sum().item()
    except (AssertionError, RuntimeError) as error:
        # So small a convolution needs no workspace: without an engine, the GPU lacks the precision.
        if isinstance(error, RuntimeError) and is_full(error) and NO_ENGINE not in str(error):
            raise
        gpus = visible_gpus() if kind == "cuda" else []
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU"
        name = describe_gpu(gpus[0]) if gpus else f"device `{kind}`"
        raise InputError(device_problem(str(error), name, dtype, f"torch {torch.__version__} for {built}")) from None


def compiled(network: torch.nn.Module) -> torch.nn.Module:
    """Return `network` compiled by torch, for `execution.compile`: fused operations, which round differently.

    Each shape of the inputs is compiled at its first pass. Both share their weights. Use it inside `explain_compiling`.
    """
    import torch

    # Without measured choices of kernels, which may differ from run to run and so change bits.
    return torch.compile(network, dynamic=False, options={"deterministic": True})  # type: ignore[return-value]


@contextmanager
def explain_compiling() -> Iterator[None]:
    """Raise `InputError` when torch cannot compile a network on this machine inside the block."""
    from torch._dynamo.exc import TorchDynamoException

    from diagen.runtime.gpu_memory import is_full

    try:
        yield
    except TorchDynamoException as error:
        if is_full(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"execution.compile: torch cannot compile on this machine ({reason}). Install what it needs (on the CPU a "
            "C++ compiler, on a GPU Triton and a C compiler), or set `execution.compile: false`"
        ) from None


def try_compiling(kind: str) -> None:
    """Compile one small network for the device `kind`. Raises `InputError` when this machine cannot."""
    import torch

    with explain_compiling(), torch.no_grad():
        compiled(torch.nn.SiLU())(torch.ones(8, device=kind))


def device_problem(error: str, device: str, dtype: str, torch_build: str) -> str:
    """Compose the message for a device on which a convolution in `dtype` fails with the text `error`.

    `device` describes the device as `describe_gpu` does, `torch_build` version and CUDA of torch.
    """
    reason = error.strip().partition("\n")[0].rstrip(".")
    if OLD_DRIVER.search(error):
        remedy = f"Update NVIDIA's driver to one that supports {torch_build}, install an older torch, or {ON_CPU}"
    elif any(mark in error for mark in NO_KERNEL):
        remedy = f"Use a newer GPU, install a torch that supports this one ({torch_build} does not), or {ON_CPU}"
    elif dtype != "float32":
        remedy = "Set `dtype` of `models.diffusion` and `embeddings` to float32, or to another type that it supports"
    else:
        remedy = f"Check the device with `nvidia-smi`, or {ON_CPU}"
    return f"execution.device: the {device} cannot compute in {dtype} ({reason}). {remedy}"

"""Device and threads of torch in a program. They decide how a program runs, not what it computes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from diagen.errors import InputError
from diagen.runtime.gpu_lease import lease_for

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


def prepare_torch(device: str, threads: int) -> torch.device:
    """Lease a GPU if `device` allows one, set torch's threads, disable nondeterminism and TF32; returns the device.

    Call this before torch is imported: CUDA sees only the leased GPU if it is not initialized yet. The configuration
    sets the threads, not the number of granted cores, because rounding depends on the number of threads.
    Raises `InputError` when the device is not available.
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
        print("on the CPU: torch finds no GPU", file=sys.stderr, flush=True)
    return torch.device(kind)


def find_device(device: str) -> str:
    """Resolve `device` to `cuda`, `mps` or `cpu`. Raises `InputError` when it is not available."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name in available if available[name])
    if not available[device]:
        raise InputError(f"execution.device is `{device}`, but torch finds no such device. Set it to `auto` or `cpu`")
    return device


def find_dtype(dtype: str, device: torch.device) -> str:
    """Resolve `auto` to `bfloat16` on a GPU that computes in it (compute capability 8.0 or higher), else `float32`."""
    import torch

    if dtype != "auto":
        return dtype
    with_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if with_bfloat16 else "float32"

"""How a program runs: the device it takes and torch's threads. Nothing here decides what is computed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from diagen.errors import InputError
from diagen.runtime.gpu_lease import lease_gpu

if TYPE_CHECKING:
    import torch


# The libraries read these when they are imported. Models are here before a stage starts: no stage asks a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
# cuBLAS gives the same bits each time only with a workspace of fixed size.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# Torch then asks the driver how many GPUs there are, without starting CUDA for that.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
# A log should hold our progress lines, not their bars and advice.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def prepare_torch(device: str, threads: int) -> torch.device:
    """Lease a GPU if one may be used, fix torch's threads, forbid nondeterministic kernels and TF32; tell the device.

    To be called before torch is imported: CUDA sees the leased GPU alone, if it hasn't started yet. Threads are set
    from the configuration and not from the cores that were granted, because another number of threads rounds
    differently.
    Raises `InputError` when the device is not there.
    """
    lease = lease_gpu() if device in ("auto", "cuda") else None
    import torch  # here, so that `--help` doesn't wait for it

    torch.set_num_threads(threads)
    # On CUDA a warning is not enough: torch then takes the backward passes of fused attention and of cuDNN that give
    # other bits each time (measured on an H200, words of full size: bench/results).
    torch.use_deterministic_algorithms(True, warn_only=not torch.cuda.is_available())
    # Determinism does not need fresh memory to be filled, and filling costs 5 to 17 % on a GPU.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    kind = find_device(device)
    if lease and kind != "cuda":  # this torch can't use it, others may
        lease.release()
    if device == "auto" and kind == "cpu":
        print("on the CPU: torch finds no GPU here", file=sys.stderr, flush=True)
    return torch.device(kind)


def find_device(device: str) -> str:
    """The kind of device (`cuda`, `mps` or `cpu`) that `device` means here. Raises `InputError` when it isn't there."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name in available if available[name])
    if not available[device]:
        raise InputError(f"execution.device is `{device}`, but torch finds no such device here; use `auto` or `cpu`")
    return device

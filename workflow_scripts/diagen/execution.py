"""How a program runs: the device it takes and torch's threads. Nothing here decides what is computed."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from diagen.errors import InputError

if TYPE_CHECKING:
    import torch


# The libraries read these when they are imported. Models are here before a stage starts: no stage asks a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
# A log should hold our progress lines, not their bars and advice.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def add_execution_arguments(parser: argparse.ArgumentParser, *, micro_batch: bool = True) -> None:
    """Add `--device`, `--torch-threads` and, if wanted, `--micro-batch` to a program's arguments."""
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"], help="default: %(default)s")
    parser.add_argument("--torch-threads", type=int, default=2, metavar="N", help="CPU threads of torch (default: 2)")
    if micro_batch:
        parser.add_argument(
            "--micro-batch", type=int, default=16, metavar="N", help="images per forward pass (default: %(default)s)"
        )


def prepare_torch(device: str, threads: int, shard: int | None = None) -> torch.device:
    """Fix torch's threads, forbid nondeterministic kernels and TF32, and return the device that `device` means.

    Threads are set from the configuration and not from the cores that were granted, because another number of
    threads rounds differently. Shards take the GPUs in turn. Raises `InputError` when the device is not there.
    """
    import torch  # here, so that `--help` doesn't wait for it

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[device]:
        raise InputError(f"execution.device is `{device}`, but torch finds no such device here; use `auto` or `cpu`")
    if device == "cuda" and shard is not None:
        return torch.device("cuda", shard % torch.cuda.device_count())
    return torch.device(device)

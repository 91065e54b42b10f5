"""The record of a program that computes with torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from diagen.files.made_with import MadeWith, made_with

if TYPE_CHECKING:
    import torch


def torch_record(
    packages: Iterable[str],
    device: torch.device,
    *,
    micro_batch: int | None = None,
    dtype: str | None = None,
    compiled: bool | None = None,
) -> MadeWith:
    """Compose a record: versions of `packages`, model of the device, current threads of torch, and the given values."""
    import torch

    name = f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
    threads = torch.get_num_threads()
    return made_with(packages, name, torch_threads=threads, micro_batch=micro_batch, dtype=dtype, compiled=compiled)

"""Handle a GPU that runs out of memory: halve the micro-batch or, where that is impossible, name a remedy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from diagen.errors import InputError

Result = TypeVar("Result")

FULL = ("out of memory", "_ALLOC_FAILED", "ALLOCATION_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED")
"""Texts of memory errors that torch does not raise as `OutOfMemoryError`: those of drivers, MPS, cuDNN, and cuBLAS,
which cannot be initialized then."""
REMEDY = "free GPU memory (`nvidia-smi` lists its processes), use a larger GPU, or set `execution.device: cpu`"


def is_full(error: RuntimeError) -> bool:
    """Return whether an error of torch reports that a GPU ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(mark in str(error) for mark in FULL)


@contextmanager
def explain_full_memory(what: str, remedy: str = REMEDY) -> Iterator[None]:
    """Raise `InputError` when the GPU runs out of memory inside the block: `what` needs more, `remedy` helps."""
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"not enough GPU memory for {what} ({first}): {remedy}") from None


def halve_when_full(micro_batch: int, work: Callable[[int], Result]) -> Result:
    """Return `work(micro_batch)`; when the GPU runs out of memory, print a line and start again with half of it.

    Since `work` starts again, the result is bit-identical to that of a run with the smaller micro-batch. Raises
    `InputError` when a single image does not fit.
    """
    while micro_batch > 1:
        try:
            return work(micro_batch)
        except RuntimeError as error:
            if not is_full(error):
                raise
            micro_batch //= 2
        # Outside the handler, the error and the tensors in its frames are released.
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        print(f"out of GPU memory: continuing with a micro-batch of {micro_batch}", file=sys.stderr, flush=True)
    with explain_full_memory("a single image"):
        return work(micro_batch)

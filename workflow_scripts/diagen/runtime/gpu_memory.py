"""What to do when a GPU's memory runs out: halve the micro-batch in place or, where that can't be, say what helps."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from diagen.errors import InputError

Result = TypeVar("Result")

FULL = ("out of memory", "_ALLOC_FAILED", "ALLOCATION_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED")
"""How errors tell of full memory that torch raises as others: those of drivers, of MPS, cuDNN, and cuBLAS, which then
can't be started."""
REMEDY = "free its memory (`nvidia-smi` tells who has it), take a larger GPU, or the CPU with `execution.device: cpu`"


def is_full(error: RuntimeError) -> bool:
    """Whether an error of torch says that a GPU's memory has run out."""
    return isinstance(error, torch.OutOfMemoryError) or any(mark in str(error) for mark in FULL)


@contextmanager
def explain_full_memory(what: str, remedy: str = REMEDY) -> Iterator[None]:
    """Inside, memory that runs out is an `InputError`: the GPU has no room for `what`."""
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"the GPU has no room for {what}: {remedy} ({first})") from None


def halve_when_full(micro_batch: int, work: Callable[[int], Result]) -> Result:
    """`work(micro_batch)`, begun again with half of it whenever the GPU's memory runs out; tells so on standard error.

    As it begins again, the result has nothing of the larger micro-batch in it: it is that of a run with the smaller
    one, to the bit. Raises `InputError` when there is no room for a single image.
    """
    while micro_batch > 1:
        try:
            return work(micro_batch)
        except RuntimeError as error:
            if not is_full(error):
                raise
            micro_batch //= 2
        # Out here the error is gone, and with it the tensors that its frames held.
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        print(f"out of GPU memory: going on with a micro-batch of {micro_batch}", file=sys.stderr, flush=True)
    with explain_full_memory("a single image"):
        return work(micro_batch)

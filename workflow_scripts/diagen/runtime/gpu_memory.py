"""Handle a GPU that runs out of memory: continue with smaller passes or, where that is impossible, name a remedy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from diagen.errors import InputError
from diagen.runtime.memory_plan import CONTEXT_GB, CPU_GB, card_gb

Result = TypeVar("Result")
Size = TypeVar("Size")

NO_ENGINE = "nable to find an engine"
"""Text of cuDNN for a convolution that no algorithm computes: it lacks workspace, or the GPU lacks the precision."""
FULL = (
    "out of memory",
    "_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    NO_ENGINE,
    "Invalid buffer size",
)
"""Texts of memory errors that torch does not raise as `OutOfMemoryError`: those of drivers; of cuBLAS, which cannot be
initialized then; of cuDNN; and of MPS, also for one tensor that is too large."""
REMEDY = (
    "free GPU memory (`nvidia-smi` lists its processes), lower `execution.jobs_per_gpu`, use a larger GPU, or "
    "set `execution.device: cpu`"
)


def device_gb(device: torch.device) -> float:
    """Return the memory in GB that the tensors of a process may fill on `device`.

    Not the memory that is free at the moment: the same kind of device gives the same number, and so the same plan.
    What other processes fill shows when memory runs out.
    """
    if device.type == "cuda":
        return card_gb(torch.cuda.get_device_properties(device).total_memory)
    return card_gb(torch.mps.recommended_max_memory()) if device.type == "mps" else CPU_GB


def limit_to_share(jobs: int) -> None:
    """Limit the tensors of this process on the current GPU of CUDA to 1/`jobs` of its memory, less what CUDA needs.

    Without a limit, the other jobs on a GPU would decide when a job runs out of memory, halves its micro-batch and so
    rounds differently. With it, only the size of the GPU and `jobs` do.
    """
    total_gb = torch.cuda.get_device_properties("cuda").total_memory / 1e9
    torch.cuda.set_per_process_memory_fraction(max(0.0, 1 / jobs - CONTEXT_GB / total_gb))


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

    Raises `InputError` when a single image does not fit.
    """
    return shrink_when_full(micro_batch, lambda size: size // 2 or None, lambda size: f"a micro-batch of {size}", work)


def shrink_when_full(
    size: Size, smaller: Callable[[Size], Size | None], describe: Callable[[Size], str], work: Callable[[Size], Result]
) -> Result:
    """Return `work(size)`; when the GPU runs out of memory, print a line and start again with `smaller(size)`.

    `smaller` returns `None` for passes of a single image in the least memory. Since `work` starts again, the result is
    bit-identical to that of a run with the smaller size. Raises `InputError` when no size fits.
    """
    while (reduced := smaller(size)) is not None:
        try:
            return work(size)
        except RuntimeError as error:
            if not is_full(error):
                raise
        # Outside the handler, the error and the tensors in its frames are released.
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        size = reduced
        print(f"out of GPU memory: continuing with {describe(size)}", file=sys.stderr, flush=True)
    with explain_full_memory("a single image"):
        return work(size)

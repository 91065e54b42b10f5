"""Micro-batches that a GPU's memory has no room for are halved in place."""

import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from diagen.errors import InputError

Result = TypeVar("Result")


def halve_when_full(micro_batch: int, work: Callable[[int], Result]) -> Result:
    """`work(micro_batch)`, begun again with half of it whenever the GPU's memory runs out; tells so on standard error.

    Beginning again leaves nothing of the larger micro-batch in the result, which is that of a run with the smaller one,
    to the bit. Raises `InputError` when there is no room for a single image.
    """
    while True:
        try:
            return work(micro_batch)
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                raise InputError(
                    "the GPU has no room for a single image: free its memory (nvidia-smi tells who has it), take a "
                    "larger GPU, or run on the CPU with `execution.device: cpu`"
                ) from None
        # Out here the error is gone, and with it what its frames held.
        micro_batch //= 2
        print(f"out of GPU memory: going on with a micro-batch of {micro_batch}", file=sys.stderr, flush=True)
        torch.cuda.empty_cache()

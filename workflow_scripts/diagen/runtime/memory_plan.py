"""How many rows learn words, and how many images the VAE takes, in one pass. Free of torch.

This decides rounding and time, not what is computed. A row is one image of one word at one step; all rows of a step add
up to its gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

ROW_GB = {"float32": (1.57, 0.50), "bfloat16": (1.03, 0.29)}
"""GB of a row of 512 pixels in Stable Diffusion 1.x, by precision: with activations kept, and with them recomputed.

`bench/memory_table.py` counts these; the slopes measured on an H100 agree (docs/gpus.md).
"""
WEIGHTS_SHARE = {"float32": (1.09, 1.2), "bfloat16": (1.47, 1.1)}
"""What the weights and all that does not grow with the rows need, relative to the weights, in the same order.

In bfloat16, autocast keeps copies of the weights for the backward pass, of one block at a time if that is recomputed.
In float32, convolutions take workspace (measured on an H100).
"""
ROW_PIXELS = 512**2
LEAST_ROWS = 4
"""Activations are kept if a pass of so many rows, a word's batch in the paper, fits: with recomputing, steps take 30 to
48 % longer (H100), more than smaller passes cost a GPU that is busy with them. Small cards are not measured."""
VAE_PIXELS = 2 * 512**2
"""Pixels that pass through the VAE together. An image of 512 pixels takes three times as much memory there as its two
rows in the UNet (counted), and few such images keep a GPU busy. Fixed, so that no card's memory decides rounding."""
CONTEXT_GB = 0.65  # a process on CUDA, in addition to its tensors
MARGIN = 0.95  # the rest: gaps between tensors, workspaces of convolutions
CPU_GB = 16.0  # on every machine, so that its size does not decide rounding; leaves room in 24 GiB


@dataclass(frozen=True)
class Passes:
    """Rows per pass, and whether the backward pass recomputes the UNet's activations instead of keeping them."""

    micro_batch: int
    recompute: bool = False

    def smaller(self) -> Passes | None:
        """Return the passes to try with less memory: recomputing changes no bit, so it comes before fewer rows."""
        if not self.recompute:
            return replace(self, recompute=True)
        return replace(self, micro_batch=self.micro_batch // 2) if self.micro_batch > 1 else None

    def __str__(self) -> str:
        """Return the text for messages."""
        return f"a micro-batch of {self.micro_batch}" + ", recomputing activations" * self.recompute


def plan_passes(rows: int, *, dtype: str, image_size: int, weights_gb: float, memory_gb: float) -> Passes:
    """Plan the passes of a step with `rows` rows, so that their peak stays within `memory_gb`; at least one row each.

    `dtype` is `float32` or `bfloat16`, `image_size` in pixels, `weights_gb` the float32 weights on the device. Passes
    are of one size and as few as possible.
    """
    for recompute in (False, True):
        free = memory_gb - weights_gb * WEIGHTS_SHARE[dtype][recompute]
        most = max(1, int(free / _row_gb(dtype, image_size, recompute)))
        if most >= min(rows, LEAST_ROWS):
            break
    count = math.ceil(rows / most)
    return Passes(math.ceil(rows / count), recompute)


def passes_gb(passes: Passes, *, dtype: str, image_size: int, weights_gb: float) -> float:
    """Return the peak of memory in GB of one of `passes`, with the weights."""
    weights = weights_gb * WEIGHTS_SHARE[dtype][passes.recompute]
    return weights + passes.micro_batch * _row_gb(dtype, image_size, passes.recompute)


def _row_gb(dtype: str, image_size: int, recompute: bool) -> float:
    return ROW_GB[dtype][recompute] * image_size**2 / ROW_PIXELS


def vae_batch(micro_batch: int, image_size: int) -> int:
    """Return how many images of `image_size` pixels the VAE encodes or decodes in one pass, of `micro_batch`."""
    return max(1, min(micro_batch, VAE_PIXELS // image_size**2))


def card_gb(total_bytes: int) -> float:
    """Return the memory in GB that the tensors of one process may fill on a card of `total_bytes`."""
    return (total_bytes / 1e9 - CONTEXT_GB) * MARGIN

"""The step `inversion` of `gpu_check`: how fast words are learned with a full-size model, and in how much memory."""

import contextlib
import itertools
from typing import Any

import torch

from bench.gpu_measure import Clock, Report, fits, free_memory, peak_gb, reset_peak, switched, tera_flop, wall_seconds
from bench.gpu_parts import (
    ClassImages,
    Diffusion,
    Embedding,
    Setup,
    class_losses,
    encoded_classes,
    large_diffusion,
    learn_words,
    word_vectors,
)

STEP = "inversion"
BATCH = 4  # images per class and step
ROWS = (16, 4, 32, 8)  # the most telling first
PRECISIONS = ("bfloat16", "float32")


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure all precisions and numbers of rows, with and without checkpointing, and then torch's switches."""
    rows = (4, 8) if setup.small else ROWS
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, max(rows) // BATCH)
    flop = step_tera_flop(diffusion, classes)
    report.add(STEP, "TFLOP of a class's step", round(flop, 3))
    for count, dtype, checkpointing in itertools.product(rows, PRECISIONS, (False, True)):
        clock.require(3)
        with checkpointed(diffusion, checkpointing):
            result = measure(setup, diffusion, classes[: count // BATCH], dtype, flop)
        report.add(STEP, f"{dtype}, {count} rows{', checkpointing' if checkpointing else ''}", result)
    some = classes[: 16 // BATCH]
    for dtype, switches in itertools.product(
        PRECISIONS,
        ({"fill": False}, {"fill": False, "deterministic": False}, {"fill": False, "benchmark": True}, {"tf32": True}),
    ):
        clock.require(3)
        with switched(**switches):
            result = measure(setup, diffusion, some, dtype, flop)
        report.add(STEP, f"{dtype}, {len(some) * BATCH} rows, {_told(switches)}", result)
    diffusion.unet.to(memory_format=torch.contiguous_format)
    for dtype in PRECISIONS:
        clock.require(3)
        report.add(STEP, f"{dtype}, {len(some) * BATCH} rows, contiguous", measure(setup, diffusion, some, dtype, flop))
    del diffusion
    free_memory()
    diffusion = large_diffusion(setup, "bfloat16")
    result = measure(setup, diffusion, some, "float32", flop)
    report.add(STEP, f"weights in bfloat16, {len(some) * BATCH} rows", result)


def _told(switches: dict[str, bool]) -> str:
    return ", ".join(f"{name} {'on' if on else 'off'}" for name, on in switches.items())


@contextlib.contextmanager
def checkpointed(diffusion: Diffusion, on: bool) -> Any:
    """Inside, the UNet's activations are computed again in the backward pass, if `on`."""
    if on:
        diffusion.unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        diffusion.unet.disable_gradient_checkpointing()


def step_tera_flop(diffusion: Diffusion, classes: list[ClassImages]) -> float:
    """The TFLOP of one step of one class, forward and backward."""
    settings = Embedding(steps=1, batch=BATCH)
    words = word_vectors(diffusion, "the")[None, :1].to(diffusion.device).requires_grad_(True)
    return tera_flop(lambda: class_losses(diffusion, classes[:1], words, settings, 0).sum().backward())


def measure(
    setup: Setup, diffusion: Diffusion, classes: list[ClassImages], dtype: str, flop: float
) -> dict[str, float] | str:
    """Learn the words of `classes` for some steps: class-steps a second, TFLOP/s and memory; or that it is full."""
    steps = 2 if setup.small or dtype == "float32" else 5

    def learn(count: int) -> None:
        learn_words(diffusion, classes, Embedding(steps=count, batch=BATCH, dtype=dtype))

    reset_peak(setup.device)
    if not fits(lambda: learn(2)):
        return "out of memory"
    seconds = wall_seconds(lambda: learn(steps), setup.device)
    done = steps * len(classes)
    rates = {"class_steps_per_s": round(done / seconds, 3), "tflop_per_s": round(done * flop / seconds, 2)}
    return rates | peak_gb(setup.device)

"""Step `inversion` of `gpu_check`: speed and memory of learning words with a full-size model."""

import itertools

import torch

from bench.gpu_measure import Clock, Report, fits, peak_gb, reset_peak, tera_flop, wall_seconds
from bench.gpu_parts import (
    ClassImages,
    Diffusion,
    Embedding,
    Setup,
    encoded_classes,
    large_diffusion,
    learn_words,
    recomputed_activations,
    step_losses,
    word_vectors,
)

STEP = "inversion"
BATCH = 4  # images per class and step
ROWS = (16, 4, 32, 8)  # the most informative first
PRECISIONS = ("bfloat16", "float32")
TOGETHER_WITHIN = {"bfloat16": 2e-3, "float32": 2e-5}


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure all precisions and numbers of rows, with and without checkpointing."""
    rows = (8,) if setup.small else ROWS
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, max(rows) // BATCH)
    flop = step_tera_flop(diffusion, classes)
    report.add(STEP, "TFLOP of a class's step", round(flop, 3))
    alone(setup, report, diffusion, classes)
    for count, dtype, checkpointing in itertools.product(rows, PRECISIONS, (False, True)):
        clock.require(3)
        with recomputed_activations(diffusion.unet, checkpointing):
            result = measure(setup, diffusion, classes[: count // BATCH], dtype, flop)
        report.add(STEP, f"{dtype}, {count} rows{', checkpointing' if checkpointing else ''}", result)


def alone(setup: Setup, report: Report, diffusion: Diffusion, classes: list[ClassImages]) -> None:
    """Check that the losses of words that learn together are those of each word alone."""
    words = word_vectors(diffusion, "the")[None, :1].expand(2, 1, -1).to(setup.device)
    for dtype in PRECISIONS:
        settings = Embedding(steps=1, batch=BATCH, dtype=dtype)
        together = step_losses(diffusion, classes[:2], words, settings, 0)
        separate = [step_losses(diffusion, [item], words[:1], settings, 0) for item in classes[:2]]
        apart = ((together - torch.cat(separate)) / together).abs().max()
        report.check(STEP, f"{dtype}, losses together against alone, relative", float(apart), TOGETHER_WITHIN[dtype])


def step_tera_flop(diffusion: Diffusion, classes: list[ClassImages]) -> float:
    """Count the TFLOP of one step of one class, forward and backward."""
    settings = Embedding(steps=1, batch=BATCH, dtype="float32")
    words = word_vectors(diffusion, "the")[None, :1].to(diffusion.device)
    return tera_flop(lambda: step_losses(diffusion, classes[:1], words, settings, 0))


def measure(
    setup: Setup, diffusion: Diffusion, classes: list[ClassImages], dtype: str, flop: float
) -> dict[str, float] | str:
    """Learn the words of `classes` for some steps: measure class-steps per second, TFLOP/s and memory.

    Out of memory is a result too.
    """
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

"""Steps of `gpu_check`: speed and memory of learning words with a full-size model."""

import itertools

import torch

from bench.gpu_measure import Clock, Report, fits, free_memory, peak_gb, reset_peak, switched, tera_flop, wall_seconds
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

STEP, VARIANTS = "inversion", "inversion_variants"
BATCH = 4  # images per class and step
ROWS = (16, 4, 32, 8)  # the most informative first
PRECISIONS = ("bfloat16", "float32")


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure all precisions and numbers of rows, with and without checkpointing."""
    rows = (8,) if setup.small else ROWS
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, max(rows) // BATCH)
    flop = step_tera_flop(diffusion, classes)
    report.add(STEP, "TFLOP of a class's step", round(flop, 3))
    for count, dtype, checkpointing in itertools.product(rows, PRECISIONS, (False, True)):
        clock.require(3)
        with recomputed_activations(diffusion.unet, checkpointing):
            result = measure(setup, diffusion, classes[: count // BATCH], dtype, flop)
        report.add(STEP, f"{dtype}, {count} rows{', checkpointing' if checkpointing else ''}", result)


def variants(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure memory formats, TF32, weights in bfloat16, and torch's switches, at one number of rows."""
    rows = 8 if setup.small else 16
    flop = report.results.get(STEP, {}).get("TFLOP of a class's step")
    for weights in ("float32", "bfloat16"):
        diffusion = large_diffusion(setup, weights)
        classes = encoded_classes(diffusion, rows // BATCH)
        flop = flop or step_tera_flop(diffusion, classes)
        for layout in (torch.channels_last, torch.contiguous_format):
            diffusion.unet.to(memory_format=layout)
            shape = "channels_last" if layout == torch.channels_last else "contiguous"
            for precision, switches in _variants(weights):
                clock.require(4)
                with switched(**switches):
                    result = measure(setup, diffusion, classes, precision, flop)
                name = f"{weights} weights, {precision} passes, {rows} rows, {shape}, {_told(switches)}"
                report.add(VARIANTS, name.removesuffix(", "), result)
        if weights == "float32":
            with switched(fill=False), recomputed_activations(diffusion.unet, True):
                result = measure(setup, diffusion, classes, "bfloat16", flop)
            report.add(VARIANTS, f"bfloat16 passes, {rows} rows, contiguous, fill off, checkpointing", result)
        del diffusion
        free_memory()


def _variants(weights: str) -> list[tuple[str, dict[str, bool]]]:
    """Return the precisions of passes and the switches that are informative for a precision of the weights."""
    if weights == "bfloat16":  # no autocast: passes have the precision of the weights
        return [("float32", {"fill": False})]
    return [
        ("bfloat16", {"fill": True}),
        ("bfloat16", {"fill": False}),
        ("bfloat16", {"fill": False, "deterministic": False}),
        ("bfloat16", {"fill": False, "benchmark": True}),
        ("float32", {"fill": False, "tf32": True}),
        ("float32", {"fill": False}),
    ]


def _told(switches: dict[str, bool]) -> str:
    return ", ".join(f"{name} {'on' if on else 'off'}" for name, on in switches.items())


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

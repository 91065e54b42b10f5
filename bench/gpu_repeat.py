"""Step `repeat` of `gpu_check`: whether a full-size model is deterministic, also with little memory."""

import contextlib
import itertools
import os

import torch

from bench import gpu_generation, gpu_inversion
from bench.gpu_generation import batch_maker, stacked
from bench.gpu_limits import limited
from bench.gpu_measure import Clock, Report, free_memory, peak_gb, reset_peak, switched
from bench.gpu_parts import (
    ClassImages,
    Diffusion,
    Embedding,
    Setup,
    encoded_classes,
    large_diffusion,
    learn_words,
    recomputed_activations,
)

STEP = "repeat"
LITTLE = {"bfloat16": 16.0, "float32": 22.0}  # GiB that suffice to learn two words


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Learn words and generate images twice, under several conditions."""
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, 2)
    for dtype, strict in itertools.product(("bfloat16", "float32"), (None, True)):
        clock.require(5)
        name = f"words in {dtype}, {'strictly deterministic' if strict else 'as the programs have it'}"
        try:
            with switched(strict=strict, fill=False):
                first, second = (learned(diffusion, classes, dtype) for _ in range(2))
        except RuntimeError as error:
            report.add(STEP, name, f"error: {str(error)[:300]}")
            continue
        report.check(STEP, f"{name}: values that differ when learned again", _differing(first, second), 0)
        report.add(STEP, name, difference(first, second))
        clock.require(3)
        with switched(strict=strict, fill=False), recomputed_activations(diffusion.unet, True):
            report.add(
                STEP, f"{name}, checkpointing against none", difference(learned(diffusion, classes, dtype), first)
            )
        clock.require(3)
        free_memory()
        with switched(strict=strict, fill=False), limited(LITTLE[dtype]) if setup.cuda else contextlib.nullcontext():
            reset_peak(setup.device)
            little = learned(diffusion, classes, dtype)
            report.add(STEP, f"{name}, in {LITTLE[dtype]} GiB against all", difference(little, first))
            report.add(STEP, f"{name}, in {LITTLE[dtype]} GiB: peak", peak_gb(setup.device))
    del diffusion
    free_memory()
    for dtype in ("float16", "float32") if setup.cuda else ("float32",):
        clock.require(5)
        diffusion = large_diffusion(setup, dtype)
        make = batch_maker(setup, diffusion, 2)
        reset_peak(setup.device)
        first, second = (stacked(make(8)) for _ in range(2))
        report.add(STEP, f"images in {dtype}: peak", peak_gb(setup.device))
        report.check(STEP, f"images in {dtype}: values that differ when generated again", _differing(first, second), 0)
        free_memory()
        with limited(8.0) if setup.cuda else contextlib.nullcontext():
            report.add(STEP, f"images in {dtype}, in 8 GiB against all", difference(stacked(make(8)), first))
        del diffusion, make
        free_memory()


def float32(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure rates and memory in float32, for runs with different environment variables of cuDNN.

    When much memory is free, cuDNN uses a large part of it as workspace; `CUDNN_CONV_WSCAP_DBG` (MB) limits this.
    """
    report.add("float32", "CUDNN_CONV_WSCAP_DBG", os.environ.get("CUDNN_CONV_WSCAP_DBG", ""))
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, 2)
    flop = gpu_inversion.step_tera_flop(diffusion, classes)
    for layout in (torch.channels_last, torch.contiguous_format):
        clock.require(5)
        diffusion.unet.to(memory_format=layout)
        diffusion.vae.to(memory_format=layout)
        shape = "channels_last" if layout == torch.channels_last else "contiguous"
        with switched(fill=False):
            result = gpu_inversion.measure(setup, diffusion, classes, "float32", flop)
            report.add("float32", f"inversion, 8 rows, {shape}, fill off", result)
            clock.require(5)
            size, steps = (2, 4) if setup.small else (4, 10)
            result = gpu_generation.measure(setup, diffusion, size, steps)
            report.add("float32", f"generation, micro-batch {size}, {steps} steps, {shape}, fill off", result)


def learned(diffusion: Diffusion, classes: list[ClassImages], dtype: str) -> torch.Tensor:
    """Learn words [classes, vectors, width] for a few steps."""
    words = learn_words(diffusion, classes, Embedding(steps=4, batch=4, dtype=dtype))
    return torch.stack([word.vectors for word in words])


def difference(values: torch.Tensor, others: torch.Tensor) -> dict[str, float]:
    """Return the number of values that differ, of all values, and the largest difference."""
    return {
        "differing": _differing(values, others),
        "of": values.numel(),
        "largest_difference": float((values - others).abs().max()),
        "largest_value": float(others.abs().max()),
    }


def _differing(values: torch.Tensor, others: torch.Tensor) -> int:
    return int((values != others).sum())

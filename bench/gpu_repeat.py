"""Step `repeat` of `gpu_check`: whether a full-size model is deterministic, also with little memory."""

import contextlib

import torch

from bench.gpu_generation import batch_maker, stacked
from bench.gpu_limits import limited
from bench.gpu_measure import Clock, Report, free_memory
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
LITTLE_WITHIN = 1e-6  # in float32, cuDNN may choose other algorithms with less workspace
LITTLE = {"bfloat16": 16.0, "float32": 22.0}  # GiB that suffice to learn two words


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Learn words and generate images again, with activations recomputed and in little memory: all with equal bytes."""
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, 2)
    for dtype in ("bfloat16", "float32"):
        clock.require(8)
        first, second = (learned(diffusion, classes, dtype) for _ in range(2))
        compare(report, f"words in {dtype}, learned again", second, first)
        with recomputed_activations(diffusion.unet, True):
            compare(report, f"words in {dtype}, activations recomputed", learned(diffusion, classes, dtype), first)
        free_memory()
        with limited(LITTLE[dtype]) if setup.cuda else contextlib.nullcontext():
            little = learned(diffusion, classes, dtype)
        apart = float((little - first).abs().max())
        report.check(STEP, f"words in {dtype}, in {LITTLE[dtype]} GiB: largest difference", apart, LITTLE_WITHIN)
    del diffusion
    free_memory()
    for dtype in ("float16", "float32") if setup.cuda else ("float32",):
        clock.require(5)
        diffusion = large_diffusion(setup, dtype)
        make = batch_maker(setup, diffusion, 2)
        first, second = (stacked(make(8)) for _ in range(2))
        compare(report, f"images in {dtype}, generated again", second, first)
        free_memory()
        with limited(8.0) if setup.cuda else contextlib.nullcontext():
            compare(report, f"images in {dtype}, in 8 GiB", stacked(make(8)), first)
        del diffusion, make
        free_memory()


def learned(diffusion: Diffusion, classes: list[ClassImages], dtype: str) -> torch.Tensor:
    """Learn words [classes, vectors, width] for a few steps."""
    words = learn_words(diffusion, classes, Embedding(steps=4, batch=4, dtype=dtype))
    return torch.stack([word.vectors for word in words])


def compare(report: Report, name: str, values: torch.Tensor, others: torch.Tensor) -> None:
    """Check that values are equal; if they are not, record by how much they differ."""
    differing = int((values != others).sum())
    report.check(STEP, f"{name}: values that differ, of {values.numel()}", differing, 0)
    if differing:
        report.add(STEP, f"{name}: largest difference", float((values - others).abs().max()))

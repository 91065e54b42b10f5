"""Steps of `gpu_check`: speed and memory of generation with a full-size model."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.gpu_measure import (
    Clock,
    PartTimes,
    Report,
    fits,
    free_memory,
    peak_gb,
    reset_peak,
    switched,
    tera_flop,
    wall_seconds,
)
from bench.gpu_parts import (
    Diffusion,
    GenerateImagesSettings,
    Setup,
    batch_of,
    compile_network,
    demo_model,
    generate_batch,
    guide_posteriors,
    large_diffusion,
    pixels,
    plain_words,
    planned_rows,
)

STEP, COMPILED = "generation", "compiled"
MICRO_BATCHES = (16, 1, 32, 8, 4)  # the most informative first
TOGETHER_WITHIN = 3.0  # gray levels on average; those of two images are some 30
STRENGTH, GUIDANCE, STEPS = 0.7, 15.0, 50
_WORK: dict[str, float] = {}  # TFLOP per image, counted once


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure precisions and micro-batches."""
    sizes = (2, 1) if setup.small else MICRO_BATCHES
    for dtype in ("float16", "bfloat16") if setup.cuda else ("float32",):
        clock.require(5)
        diffusion = large_diffusion(setup, dtype)
        if not _WORK:
            _WORK.update(work(setup, diffusion))
            report.add(STEP, "TFLOP of an image", _WORK)
        rowwise(setup, report, diffusion, dtype)
        for size in sizes if dtype == "float16" or setup.small else (16, 32, 1):
            clock.require(8)
            report.add(STEP, f"{dtype}, micro-batch {size}", measure(setup, diffusion, size))
        del diffusion
        free_memory()
    if setup.cuda:
        clock.require(15)
        report.add(STEP, "float32, micro-batch 4", measure(setup, large_diffusion(setup, "float32"), 4))


def rowwise(setup: Setup, report: Report, diffusion: Diffusion, dtype: str) -> None:
    """Check that images of a micro-batch are those of each image alone."""
    rows = planned_rows(setup.folder / "guides", 4)
    words, settings = plain_words(diffusion), settings_of(8)
    together, alone = (pixels(diffusion, rows, words, settings, size).astype(np.int16) for size in (4, 1))
    apart = float(np.abs(together - alone).mean(axis=(1, 2, 3)).max())
    report.check(STEP, f"{dtype}, micro-batch 4 against 1, mean difference in levels", apart, TOGETHER_WITHIN)


def compiled(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure a compiled UNet, the time of compilation, and the difference of its images."""
    if not setup.cuda:
        report.add(COMPILED, "compiled", "not measured: compiling is worth its time on a GPU alone")
        return
    diffusion = large_diffusion(setup, "float16")
    for size in (16, 1):
        clock.require(40)
        with switched(fill=False):
            plain = stacked(batch_maker(setup, diffusion, size)(8))
            fast = dataclasses.replace(diffusion, unet=compile_network(diffusion.unet))
            make = batch_maker(setup, fast, size)
            compiling = wall_seconds(lambda make=make: make(4), setup.device)
            apart = (stacked(make(8)) - plain).abs().float()
            seconds = wall_seconds(lambda make=make: make(8 if setup.small else STEPS), setup.device)
        result = {"images_per_s": round(size / seconds, 3), "first_call_s": round(compiling, 1), "seconds": seconds}
        result["largest_difference"] = int(apart.max())
        report.check(COMPILED, f"micro-batch {size}, mean difference in levels", float(apart.mean()), TOGETHER_WITHIN)
        report.add(COMPILED, f"micro-batch {size}", result)


def stacked(images: list[Image.Image]) -> torch.Tensor:
    """Return the values [n, H, W, 3] of images, int16."""
    return torch.stack([torch.from_numpy(np.array(image)) for image in images]).short()


def settings_of(steps: int = STEPS) -> GenerateImagesSettings:
    """Return the paper's settings, optionally with fewer steps."""
    return GenerateImagesSettings(
        strength=STRENGTH, guidance_scale=GUIDANCE, inference_steps=steps, diffusion=demo_model()
    )


def batch_maker(setup: Setup, diffusion: Diffusion, size: int) -> Callable[[int], Any]:
    """Return a function that generates one micro-batch with this number of schedule steps."""
    rows = planned_rows(setup.folder / "guides", size)
    posteriors = guide_posteriors(diffusion, rows, 1)
    words = batch_of(rows, plain_words(diffusion))
    return lambda steps: generate_batch(diffusion, rows, posteriors, words, settings_of(steps))


def work(setup: Setup, diffusion: Diffusion) -> dict[str, float]:
    """Count the TFLOP of an image: of one evaluation with guidance, and of decoding."""
    side, width = diffusion.unet.config.sample_size, diffusion.text_encoder.config.hidden_size
    options = {"device": setup.device, "dtype": diffusion.dtype}
    latents = torch.randn(2, diffusion.unet.config.in_channels, side, side, **options)
    states = torch.randn(2, diffusion.tokenizer.model_max_length, width, **options)
    with torch.no_grad():
        unet = tera_flop(lambda: diffusion.unet(latents, 500, encoder_hidden_states=states))
        decode = tera_flop(lambda: diffusion.vae.decode(latents[:1]))
    return {"evaluation": round(unet, 4), "decode": round(decode, 4)}


def measure(setup: Setup, diffusion: Diffusion, size: int, steps: int = STEPS) -> dict[str, Any] | str:
    """Generate one micro-batch: measure images per second, times of UNet and VAE, and memory; or record full memory."""
    make = batch_maker(setup, diffusion, size)
    reset_peak(setup.device)
    if not fits(lambda: make(4)):
        return "out of memory"
    with PartTimes(setup.device, unet=diffusion.unet, decoder=diffusion.vae.decoder) as parts:
        seconds = wall_seconds(lambda: make(min(steps, 8) if setup.small else steps), setup.device)
        shares, calls = parts.seconds(), len(parts.marks["unet"]) // 2
    if not _WORK:
        _WORK.update(work(setup, diffusion))
    flop = (calls * _WORK["evaluation"] + _WORK["decode"]) * size
    return {
        "images_per_s": round(size / seconds, 3),
        "unet_s": round(shares["unet"], 3),
        "decode_s": round(shares["decoder"], 3),
        "other_s": round(seconds - sum(shares.values()), 3),
        "evaluations": calls,
        "unet_tflop_per_s": round(calls * _WORK["evaluation"] * size / shares["unet"], 1),
        "tflop_per_s": round(flop / seconds, 1),
        "finite": bool(parts.finite["decoder"]),
        **peak_gb(setup.device),
    }

"""The step `generation` of `gpu_check`: how fast a full-size model generates images, and in how much memory."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bench.gpu_measure import (
    Clock,
    PartTimes,
    Report,
    fits,
    free_memory,
    peak_gb,
    reset_peak,
    switched,
    synchronise,
    tera_flop,
    wall_seconds,
)
from bench.gpu_parts import (
    Diffusion,
    GenerateImagesSettings,
    Setup,
    batch_of,
    demo_model,
    generate_batch,
    guide_posteriors,
    large_diffusion,
    plain_words,
    planned_rows,
)

STEP = "generation"
MICRO_BATCHES = (16, 1, 32, 8, 4)  # the most telling first
STRENGTH, GUIDANCE, STEPS = 0.7, 15.0, 50


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure precisions and micro-batches, and then memory formats and torch's switches."""
    sizes = (2, 1) if setup.small else MICRO_BATCHES
    usual = sizes[0]
    for dtype in ("float16", "bfloat16") if setup.cuda else ("bfloat16",):
        clock.require(5)
        diffusion = large_diffusion(setup, dtype)
        if dtype in ("float16", "bfloat16") and "TFLOP" not in report.results.get(STEP, {}):
            report.add(STEP, "TFLOP", work(setup, diffusion))
        for size in sizes if dtype == "float16" or setup.small else (16, 32, 1):
            clock.require(8)
            report.add(STEP, f"{dtype}, micro-batch {size}", measure(setup, diffusion, size))
        if dtype == "float16" or not setup.cuda:
            report.add(STEP, "attention and largest kernels", kernels(setup, diffusion, usual))
            variants(setup, report, clock, diffusion, usual)
        del diffusion
        free_memory()
    clock.require(15)
    diffusion = large_diffusion(setup, "float32")
    size = 2 if setup.small else 4
    report.add(STEP, f"float32, micro-batch {size}", measure(setup, diffusion, size))
    clock.require(8)
    with switched(tf32=True):
        report.add(STEP, f"float32, micro-batch {size}, tf32 on", measure(setup, diffusion, size))
    clock.require(10)
    diffusion.unet.to(memory_format=torch.contiguous_format)
    report.add(STEP, f"float32, micro-batch {size}, contiguous", measure(setup, diffusion, size))


def variants(setup: Setup, report: Report, clock: Clock, diffusion: Diffusion, size: int) -> None:
    """The same model with other switches of torch, and in another memory format."""
    name = f"{str(diffusion.dtype).removeprefix('torch.')}, micro-batch {size}"
    for label, switches in {
        "fill off": {"fill": False},
        "fill off, deterministic off": {"fill": False, "deterministic": False},
        "fill off, benchmark on": {"fill": False, "benchmark": True},
    }.items():
        clock.require(5)
        with switched(**switches):
            report.add(STEP, f"{name}, {label}", measure(setup, diffusion, size))
    clock.require(5)
    diffusion.unet.to(memory_format=torch.contiguous_format)
    diffusion.vae.to(memory_format=torch.contiguous_format)
    report.add(STEP, f"{name}, contiguous", measure(setup, diffusion, size))
    diffusion.unet.to(memory_format=torch.channels_last)
    diffusion.vae.to(memory_format=torch.channels_last)


def settings_of(steps: int = STEPS) -> GenerateImagesSettings:
    """The paper's settings, with another number of steps where few will do."""
    return GenerateImagesSettings(
        strength=STRENGTH, guidance_scale=GUIDANCE, inference_steps=steps, diffusion=demo_model()
    )


def batch_maker(setup: Setup, diffusion: Diffusion, size: int) -> Callable[[int], Any]:
    """A function that generates one micro-batch in so many steps of the schedule."""
    rows = planned_rows(setup.folder / "guides", size)
    posteriors = guide_posteriors(diffusion, rows, 1)
    words = batch_of(rows, plain_words(diffusion))
    return lambda steps: generate_batch(diffusion, rows, posteriors, words, settings_of(steps))


def work(setup: Setup, diffusion: Diffusion) -> dict[str, float]:
    """The TFLOP of an image: one evaluation with guidance, and the decoding."""
    side, width = diffusion.unet.config.sample_size, diffusion.text_encoder.config.hidden_size
    options = {"device": setup.device, "dtype": diffusion.dtype}
    latents = torch.randn(2, diffusion.unet.config.in_channels, side, side, **options)
    states = torch.randn(2, diffusion.tokenizer.model_max_length, width, **options)
    with torch.no_grad():
        unet = tera_flop(lambda: diffusion.unet(latents, 500, encoder_hidden_states=states))
        decode = tera_flop(lambda: diffusion.vae.decode(latents[:1]))
    return {"evaluation": round(unet, 4), "decode": round(decode, 4)}


def measure(setup: Setup, diffusion: Diffusion, size: int) -> dict[str, Any] | str:
    """Generate one micro-batch: images a second, UNet's and VAE's shares, and memory; or that it is full."""
    make = batch_maker(setup, diffusion, size)
    reset_peak(setup.device)
    if not fits(lambda: make(4)):
        return "out of memory"
    with PartTimes(setup.device, unet=diffusion.unet, decoder=diffusion.vae.decoder) as parts:
        seconds = wall_seconds(lambda: make(8 if setup.small else STEPS), setup.device)
        shares, calls = parts.seconds(), len(parts.marks["unet"]) // 2
    flop = work_of(setup, diffusion, calls) * size
    return {
        "images_per_s": round(size / seconds, 3),
        "unet_s": round(shares["unet"], 3),
        "decode_s": round(shares["decoder"], 3),
        "other_s": round(seconds - sum(shares.values()), 3),
        "evaluations": calls,
        "tflop_per_s": round(flop / seconds, 1),
        "finite": bool(parts.finite["decoder"]),
        **peak_gb(setup.device),
    }


_WORK: dict[str, float] = {}


def work_of(setup: Setup, diffusion: Diffusion, calls: int) -> float:
    """The TFLOP of an image in so many evaluations; counted once."""
    if not _WORK:
        _WORK.update(work(setup, diffusion))
    return calls * _WORK["evaluation"] + _WORK["decode"]


def kernels(setup: Setup, diffusion: Diffusion, size: int) -> dict[str, Any]:
    """Which attention was used, and the kernels that took longest in a short generation, in milliseconds."""
    make = batch_maker(setup, diffusion, size)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if setup.cuda else [])
    start = time.perf_counter()
    with profile(activities=activities) as profiler:
        make(4)
        synchronise(setup.device)
    events = profiler.key_averages()
    attention = {event.key: event.count for event in events if "scaled_dot_product" in event.key}
    found = sorted(events, key=lambda event: -event.self_device_time_total)[:12] if setup.cuda else []
    longest = {event.key[:90]: round(event.self_device_time_total / 1000, 2) for event in found}
    return {"attention": attention, "kernels_ms": longest, "profiled_s": round(time.perf_counter() - start, 1)}

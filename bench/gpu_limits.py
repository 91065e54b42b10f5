"""Step `memory` of `gpu_check`: what the defaults choose on smaller cards, and whether halving works on a GPU."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from bench.gpu_generation import batch_maker, settings_of
from bench.gpu_measure import Clock, Report, fits, free_memory, peak_gb, reset_peak, wall_seconds
from bench.gpu_parts import (
    ClassImages,
    Diffusion,
    Embedding,
    Passes,
    Setup,
    card_gb,
    encoded_classes,
    generate,
    large_diffusion,
    learn_words,
    manifest_of,
    passes_gb,
    plain_words,
    plan_passes,
    planned_rows,
    recomputed_activations,
)

STEP = "memory"
CARDS = (48, 24, 16, 12, 8)  # GiB
CONTEXT = 0.6  # GiB of the CUDA context, in addition to torch's tensors
MICRO_BATCHES = (32, 16, 8, 4, 2, 1)
WORDS, BATCH = 8, 4  # the defaults of execution.words_together and embeddings.<name>.batch


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Test the halving first, then the planned passes and the micro-batches that fit on each card."""
    diffusion = large_diffusion(setup, "float16" if setup.cuda else "float32")
    halving(setup, report, diffusion)
    if setup.cuda:
        images(setup, report, clock, diffusion, "float16")
    del diffusion
    free_memory()
    diffusion = large_diffusion(setup, "float32")
    words(setup, report, clock, diffusion)
    if setup.cuda:
        images(setup, report, clock, diffusion, "float32")


def images(setup: Setup, report: Report, clock: Clock, diffusion: Diffusion, dtype: str) -> None:
    """Find the largest micro-batch of generation on each card; from the largest card to the smallest."""
    left = list(MICRO_BATCHES)
    for card in CARDS:
        free_memory()
        with limited(card - CONTEXT):
            while left and not fits(lambda: batch_maker(setup, diffusion, left[0])(4)):
                clock.require(3)
                left.pop(0)
        report.add(STEP, f"{card} GB, images in {dtype}: largest micro-batch", left[0] if left else 0)


def words(setup: Setup, report: Report, clock: Clock, diffusion: Diffusion) -> None:
    """Learn words in the planned passes on each card, and in those of the other kind, to compare their rates."""
    classes = encoded_classes(diffusion, WORDS)
    parts = (diffusion.unet, diffusion.text_encoder, diffusion.vae)
    weights = sum(weight.nbytes for part in parts for weight in part.parameters()) / 1e9
    for dtype in ("bfloat16", "float32"):
        for card in CARDS if setup.cuda else CARDS[:1]:
            sizes: dict[str, Any] = {"dtype": dtype, "image_size": diffusion.image_size, "weights_gb": weights}
            planned = plan_passes(WORDS * BATCH, memory_gb=card_gb(card * 2**30), **sizes)
            other = largest_passes(card, not planned.recompute, sizes)
            for label, passes in {"planned": planned, "other": other}.items():
                clock.require(5)
                name = f"{card} GB, words in {dtype}, {label}"
                if passes is None:
                    continue
                result = learned(setup, diffusion, classes, dtype, passes, card)
                report.add(STEP, f"{name}, with {passes}", result)
                if label == "planned":
                    report.check(STEP, f"{name}: out of memory", float(isinstance(result, str)), 0)


def largest_passes(card: int, recompute: bool, sizes: dict[str, Any]) -> Passes | None:
    """Return the fewest passes that fit the card with or without recomputing; `None` if not even a row does."""
    for count in (WORDS * BATCH, 16, 8, 4, 2, 1):
        passes = Passes(count, recompute)
        if passes_gb(passes, **sizes) <= card_gb(card * 2**30):
            return passes
    return None


def learned(
    setup: Setup, diffusion: Diffusion, classes: list[ClassImages], dtype: str, passes: Passes, card: int
) -> dict[str, float] | str:
    """Learn words on a card of this size: measure class-steps per second and memory; out of memory is a result too."""
    steps = 2 if dtype == "bfloat16" else 1

    def learn(count: int) -> None:
        learn_words(diffusion, classes, Embedding(steps=count, batch=BATCH, dtype=dtype), None, passes.micro_batch)

    memory = limited(card - CONTEXT) if setup.cuda else contextlib.nullcontext()
    with memory, recomputed_activations(diffusion.unet, passes.recompute):
        reset_peak(setup.device)
        if not fits(lambda: learn(1)):
            return "out of memory"
        seconds = wall_seconds(lambda: learn(steps), setup.device)
        return {"class_steps_per_s": round(steps * len(classes) / seconds, 3), **peak_gb(setup.device)}


@contextlib.contextmanager
def limited(gib: float) -> Iterator[None]:
    """Limit the GPU memory that torch may use inside the block."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gib * 2**30 / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def halving(setup: Setup, report: Report, diffusion: Diffusion) -> None:
    """Check that a micro-batch that was halved yields the same files as the smaller one from the start."""
    size = 4 if setup.small else 16
    rows = planned_rows(setup.folder / "guides", size)
    named = [(row, f"{row.number}.png") for row in rows]
    words, settings = plain_words(diffusion), settings_of(4)

    def made(folder: str, micro_batch: int) -> dict[str, bytes]:
        store = setup.folder / folder
        generate(diffusion, named, words, settings, store, micro_batch)
        return {name: (store / name).read_bytes() for _, name in named}

    if not setup.cuda:
        report.check(STEP, "files with other bytes when generated again", _differing(made("a", 2), made("b", 2)), 0)
        return
    with limited(5.0 if not setup.small else 0.3):
        halved = made("halved", size)
        manifest, _ = manifest_of(rows, [name for _, name in named], setup.folder / "halved")
        reached = manifest[0].micro_batch
        report.add(STEP, "micro-batch that halving came down to, from 16 in 5 GiB", reached)
        report.check(STEP, "micro-batch after halving", reached, size // 2 if not setup.small else size)
        free_memory()
        straight = made("straight", reached)
    report.check(STEP, "files after halving with other bytes than straight ones", _differing(halved, straight), 0)
    free_memory()
    roomy = made("roomy", reached)
    report.check(STEP, "files in little memory with other bytes than in much", _differing(roomy, straight), 0)


def _differing(files: dict[str, bytes], others: dict[str, bytes]) -> int:
    return sum(content != others[name] for name, content in files.items())

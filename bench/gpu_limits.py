"""Step `memory` of `gpu_check`: what fits on smaller cards, and whether halving the micro-batch works on a GPU."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image

from bench.gpu_generation import batch_maker, settings_of
from bench.gpu_measure import Clock, Report, fits, free_memory
from bench.gpu_parts import (
    Diffusion,
    Embedding,
    Setup,
    encoded_classes,
    generate,
    large_diffusion,
    learn_words,
    plain_words,
    planned_rows,
)

STEP = "memory"
CARDS = (24, 16, 12, 8)  # GiB, descending: what does not fit on a card does not fit on a smaller one
CONTEXT = 0.6  # GiB of the CUDA context, in addition to torch's tensors
CLASSES_AT_ONCE = (16, 12, 8, 6, 4, 3, 2, 1)
MICRO_BATCHES = (32, 24, 16, 12, 8, 6, 4, 3, 2, 1)


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Test the halving first, then find what fits on which card."""
    diffusion = large_diffusion(setup, "float16" if setup.cuda else "float32")
    halving(setup, report, diffusion)
    if not setup.cuda:
        report.add(STEP, "cards", "not measured: the memory of a CPU isn't limited")
        return
    makers: dict[int, Callable[[int], object]] = {}

    def generates(size: int) -> None:
        makers.setdefault(size, batch_maker(setup, diffusion, size))(4)

    clock.require(10)
    for card, size in largest(MICRO_BATCHES, generates, clock).items():
        report.add(STEP, f"{card} GB, float16: largest micro-batch of generation", size)
    makers.clear()
    del diffusion
    free_memory()
    diffusion = large_diffusion(setup, "float32")
    classes = encoded_classes(diffusion, max(CLASSES_AT_ONCE))
    for dtype in ("bfloat16", "float32"):
        clock.require(10)

        def learns(count: int, dtype: str = dtype) -> None:
            learn_words(diffusion, classes[:count], Embedding(steps=1, batch=4, dtype=dtype))

        for card, count in largest(CLASSES_AT_ONCE, learns, clock).items():
            report.add(STEP, f"{card} GB, {dtype}: most words learned at once (4 rows each)", count)


@contextlib.contextmanager
def limited(gib: float) -> Iterator[None]:
    """Limit the GPU memory that torch may use inside the block."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gib * 2**30 / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def largest(candidates: Sequence[int], work: Callable[[int], None], clock: Clock) -> dict[int, int]:
    """Find for each card the first of the descending `candidates` with which `work` fits; 0 if none does."""
    found, left = {}, list(candidates)
    for card in CARDS:
        free_memory()
        with limited(card - CONTEXT):
            while left and not fits(lambda: work(left[0])):
                clock.require(3)
                left.pop(0)
        found[card] = left[0] if left else 0
    return found


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
        reached = _told(setup.folder / "halved" / named[0][1])
        report.add(STEP, "micro-batch that halving came down to, from 16 in 5 GiB", reached)
        report.check(STEP, "micro-batch after halving", reached, size // 2 if not setup.small else size)
        free_memory()
        straight = made("straight", reached)
    report.check(STEP, "files after halving with other bytes than straight ones", _differing(halved, straight), 0)
    free_memory()
    roomy = made("roomy", reached)
    report.check(STEP, "files in little memory with other bytes than in much", _differing(roomy, straight), 0)


def _told(path: Path) -> int:
    with Image.open(path) as image:
        return int(image.info["micro_batch"])


def _differing(files: dict[str, bytes], others: dict[str, bytes]) -> int:
    return sum(content != others[name] for name, content in files.items())

"""Print how much memory learning words and generating images need at full size, and what the defaults choose by card.

The figures are counted (`bench/memory_count.py`), not measured; those measured on an H100 stand beside them. No GPU is
needed.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bench.memory_count import Counted, count_generation, count_learning
from diagen.config import Execution
from diagen.runtime.memory_plan import card_gb, plan_passes

CARDS = (8, 12, 16, 24, 48, 80)  # GiB
IMAGE_SIZE = 512
H100 = Path(__file__).with_name("results") / "h100.json"
BATCH = 4  # of the paper


def markdown(header: list[str], rows: Iterator[list[str]]) -> str:
    """Format a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def learning_rows(measured: dict[str, Any], count: Callable[..., Counted]) -> Iterator[list[str]]:
    """Rows of the table of passes that learn words, with the H100's peak where it was measured without extra memory."""
    for dtype in ("bfloat16", "float32"):
        for recompute in (False, True):
            for rows in (4, 16, 32):
                counted = count(rows, dtype, recompute)
                name = f"{dtype}, {rows} rows{', checkpointing' if recompute else ''}"
                # In float32 with many rows, cuDNN took most of the H100's memory as workspace.
                known = measured["inversion"].get(name, {}) if dtype == "bfloat16" or rows == BATCH else {}
                yield [
                    f"`{dtype}`{', recomputing' if recompute else ''}",
                    str(rows),
                    f"{counted.weights:.1f}",
                    f"{counted.saved:.1f}",
                    f"{counted.largest:.2f}",
                    f"{counted.peak:.1f}",
                    f"{known['peak_gb']:.1f}" if known else "",
                ]


def card_rows(count_words: Callable[..., Counted], count_images: Callable[..., Counted]) -> Iterator[list[str]]:
    """Rows of the table of cards: what the defaults choose there, and its counted peak."""
    weights = count_words(1, "float32", True).weights
    rows = Execution().words_together * BATCH
    for card in CARDS:
        memory = card_gb(card * 2**30)
        cells = [f"{card} GB"]
        for dtype in ("bfloat16", "float32"):
            passes = plan_passes(rows, dtype=dtype, image_size=IMAGE_SIZE, weights_gb=weights, memory_gb=memory)
            peak = count_words(passes.micro_batch, dtype, passes.recompute).peak
            number = -(-rows // passes.micro_batch)
            cells.append(f"{number} × {passes.micro_batch}{', recomputing' * passes.recompute} ({peak:.1f} GB)")
        for dtype in ("float16", "float32"):
            size = fitting(Execution().micro_batch, lambda size, dtype=dtype: count_images(size, dtype).peak, memory)
            cells.append(f"{size} ({count_images(size, dtype).peak:.1f} GB)")
        yield cells


def fitting(micro_batch: int, peak: Callable[[int], float], memory: float) -> int:
    """Return the micro-batch that remains when generation halves it until its `peak` is within `memory`."""
    while micro_batch > 1 and peak(micro_batch) > memory:
        micro_batch //= 2
    return micro_batch


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    words, images = cache(count_learning), cache(count_generation)
    measured = json.loads(H100.read_text("utf-8"))
    header = ["learning words", "rows per pass", "weights", "saved", "largest tensor", "peak", "measured peak (H100)"]
    print(markdown(header, learning_rows(measured, words)), flush=True)
    print()
    header = ["card", "words in `bfloat16`", "words in `float32`", "images in `float16`", "images in `float32`"]
    print(markdown(header, card_rows(words, images)))


if __name__ == "__main__":
    main()

"""Report the progress of long work: a bar on a terminal, a line every 30 seconds in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
INTERVAL = 30.0  # seconds between lines in a log


def progress(items: Iterable[Item], *, total: int, progress_label: str, unit: str, done: int = 0) -> Iterator[Item]:
    """Yield `items`; report on standard error how many of `total` are done, the rate, and the remaining time.

    `done` counts the items that an earlier run finished; `unit` names the items, such as `images`.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, initial=done, desc=progress_label, unit=unit)
        return
    started = last = time.monotonic()
    first = done
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= INTERVAL or done == total:
            rate = (done - first) / max(now - started, 1e-9)
            left = (total - done) / rate
            print(
                f"{progress_label}: {done} of {total} {unit}, {rate:.2f}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
            last = now

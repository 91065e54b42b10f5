"""Measure how the cost of each stage grows with classes, shots, images, views and points, over a decade each.

Models are those of the tests, with random weights. Times are CPU seconds on one thread, so that other work on the
machine matters little. A straight line through the logarithms of size and time gives an exponent, which must not exceed
that of the stage's work. Writes a figure and the measurements as JSON, prints them as a table in Markdown, and ends
with status 1 if a stage grows faster than its work.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

from bench.arguments import output_file

RESULTS = Path(__file__).with_name("results") / "growth.json"
FIGURE = Path(__file__).parents[1] / "docs" / "growth.svg"
TOLERANCE = 0.15  # of a fitted exponent
REPEATS = 3
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f", "#5d3a9b", "#994f00")
MARKERS = "osD^vP<X>p"
STYLE: dict[Any, Any] = {  # matplotlib lists the allowed keys in its type
    "svg.hashsalt": "diagen",
    "font.size": 10,
    "text.color": "#333333",
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#d9d9d9",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": "#ececec",
    "legend.frameon": False,
}
"""The look of the figure; the salt makes equal figures equal files."""


@dataclass(frozen=True)
class Operation:
    """Work on an input of a size along an axis, which grows with the exponent `work`.

    `prepare` builds the input of a size in an empty folder, and returns the function to measure; it may be called
    repeatedly. With `memory`, the peak of Python's memory at the largest size is measured too, in an extra call.
    """

    axis: str
    name: str
    work: float
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Callable[[], object]]
    memory: bool = False


@dataclass(frozen=True)
class Growth:
    """CPU seconds of an operation by size, the fitted exponent, and the peak of Python's memory in MB, if measured."""

    axis: str
    name: str
    work: float
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float
    peak_mb: float | None = None

    @property
    def is_too_fast(self) -> bool:
        """Whether the time grows faster than the work."""
        return self.exponent > self.work + TOLERANCE


def fitted_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of the least-squares line through log(seconds) over log(sizes)."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure(operation: Operation, folder: Path) -> Growth:
    """Measure an operation: the fastest of `REPEATS` calls at each size; the sizes take turns, after a first call."""
    calls = {}
    for size in operation.sizes:
        place = folder / operation.axis / operation.name.replace(" ", "_") / str(size)
        place.mkdir(parents=True)
        calls[size] = operation.prepare(size, place)
    calls[operation.sizes[0]]()  # imports, and memory that torch keeps
    # Garbage collection looks at all objects of a process, here also at the inputs of other sizes.
    gc.collect()
    gc.freeze()
    seconds = dict.fromkeys(operation.sizes, float("inf"))
    for _ in range(REPEATS):
        for size, call in calls.items():
            gc.collect()
            start = time.process_time()
            call()
            seconds[size] = min(seconds[size], time.process_time() - start)
    return Growth(
        operation.axis,
        operation.name,
        operation.work,
        operation.sizes,
        tuple(round(value, 4) for value in seconds.values()),
        round(fitted_exponent(operation.sizes, list(seconds.values())), 2),
        peak_mb(calls[operation.sizes[-1]]) if operation.memory else None,
    )


def peak_mb(call: Callable[[], object]) -> float:
    """Return the peak of what Python allocates during a call, in MB."""
    tracemalloc.start()
    try:
        call()
        return round(tracemalloc.get_traced_memory()[1] / 1e6)
    finally:
        tracemalloc.stop()


def table(growths: Iterable[Growth]) -> str:
    """Format the measurements as a table in Markdown."""
    lines = [
        "| grows | stage | sizes | CPU seconds | exponent | of its work | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in growths:
        sizes = f"{each.sizes[0]:,} to {each.sizes[-1]:,}"
        seconds = f"{each.seconds[0]:.3g} to {each.seconds[-1]:.3g}"
        memory = "" if each.peak_mb is None else f"{each.peak_mb:.0f} MB"
        lines.append(
            f"| {each.axis} | {each.name} | {sizes} | {seconds} | {each.exponent:.2f} | {each.work:g} | {memory} |"
        )
    return "\n".join(lines)


def plot(growths: Sequence[Growth]) -> Figure:
    """Plot time over size, both relative to the smallest size: a panel per axis, dashed lines for the work."""
    axes = list(dict.fromkeys(each.axis for each in growths))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 3.9 * -(-len(axes) // 2)), layout="constrained")
        panels = figure.subplots(-(-len(axes) // 2), 2, squeeze=False).flatten()
        for panel in panels[len(axes) :]:
            panel.set_visible(False)
        for axis, panel in zip(axes, panels, strict=False):
            here = [each for each in growths if each.axis == axis]
            reach = np.array([1.0, max(each.sizes[-1] / each.sizes[0] for each in here)])
            for work in sorted({each.work for each in here}):
                panel.plot(reach, reach**work, color="#9a9a9a", linestyle="--", linewidth=1, zorder=0)
            for each, color, marker in zip(here, COLORS, MARKERS, strict=False):
                sizes, seconds = np.array(each.sizes), np.array(each.seconds)
                name = f"{each.name}: {each.exponent:.2f}"
                panel.plot(sizes / sizes[0], seconds / seconds[0], color=color, marker=marker, markersize=4, label=name)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_title(axis)
            panel.set_xlabel("size, relative to the smallest")
            panel.set_ylabel("CPU time, relative")
            panel.grid()
            panel.legend(fontsize=8)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure, without a date, in the format of the suffix (.svg or .png)."""
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, bbox_inches="tight", facecolor="white", metadata=metadata, dpi=160)


def output_figure(text: str) -> Path:
    """The path of a figure to write. Raises `ArgumentTypeError` if its suffix is wrong or it cannot be written."""
    if not text.endswith((".svg", ".png")):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with .svg or .png")
    return output_file(text)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, default=RESULTS, help="JSON file (default: %(default)s)")
    parser.add_argument("--figure", type=output_figure, default=FIGURE, help=".svg or .png (default: %(default)s)")
    arguments = parser.parse_args()

    import torch

    from bench.growth_stages import operations

    torch.set_num_threads(1)
    growths = []
    with tempfile.TemporaryDirectory() as folder:
        for operation in operations(Path(folder) / "shared"):
            growths.append(measure(operation, Path(folder)))
            print(table(growths).splitlines()[-1], file=sys.stderr, flush=True)
        arguments.output.write_text(json.dumps([asdict(each) for each in growths], indent=1) + "\n", "utf-8")
        save_figure(plot(growths), arguments.figure)
        print(table(growths), flush=True)
    if faster := [each for each in growths if each.is_too_fast]:
        names = "; ".join(f"{each.name} over {each.axis}: {each.exponent:.2f} > {each.work:g}" for each in faster)
        sys.exit(f"error: these stages grow faster than their work: {names}")


if __name__ == "__main__":
    main()

"""Interleaved timing of two loops with the same result, and the report of it."""

import contextlib
import io
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Stage:
    """A stage of the workflow, computed by a plain reference loop and by the library.

    `difference` maps the results of both loops (plain, ours) to the largest deviation, in `unit`; it may be at most
    `tolerance`. `floor` runs only the operations that no arrangement saves, such as the passes of the network.
    """

    name: str
    work: str
    plain: Callable[[], Any]
    ours: Callable[[], Any]
    floor: Callable[[], Any]
    difference: Callable[[Any, Any], float]
    tolerance: float
    unit: str


@dataclass(frozen=True)
class Times:
    """Seconds of each repeat of an action that has no reference loop."""

    name: str
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """Seconds of each repeat of both loops and of the floor; the repeats with one index ran one after the other."""

    name: str
    work: str
    plain: tuple[float, ...]
    ours: tuple[float, ...]
    floor: tuple[float, ...]
    difference: float
    tolerance: float
    unit: str

    @property
    def ratios(self) -> list[float]:
        """Time of the plain loop over ours, paired by repeat."""
        return [plain / ours for plain, ours in zip(self.plain, self.ours, strict=True)]

    @property
    def held(self) -> bool:
        """Whether the results agree within the tolerance; NaN does not."""
        return self.difference <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """The comparison with its medians."""
        loops = {"plain": self.plain, "ours": self.ours, "floor": self.floor, "ratio": self.ratios}
        medians = {name: statistics.median(values) for name, values in loops.items()}
        return {**asdict(self), "ratios": self.ratios, "medians": medians, "held": self.held}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of a call whose output to the console is dropped."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        result = work()
        return time.perf_counter() - start, result


def compare(stage: Stage, repeats: int) -> Comparison:
    """Run plain loop, ours and floor in turn, `repeats` times; the difference is the largest of all repeats.

    The library computes in the deterministic mode of torch, as its programs do; the plain loop runs without it.
    """
    seconds: dict[str, list[float]] = {"plain": [], "ours": [], "floor": []}
    differences = []
    before = torch.are_deterministic_algorithms_enabled()
    for _ in range(repeats):
        results = {}
        for name, work in (("plain", stage.plain), ("ours", stage.ours), ("floor", stage.floor)):
            torch.use_deterministic_algorithms(name == "ours", warn_only=True)
            try:
                elapsed, results[name] = timed(work)
            finally:
                torch.use_deterministic_algorithms(before, warn_only=True)
            seconds[name].append(elapsed)
        differences.append(stage.difference(results["plain"], results["ours"]))
    largest = max(differences, key=lambda value: float("inf") if value != value else value)
    loops = [tuple(seconds[name]) for name in ("plain", "ours", "floor")]
    return Comparison(stage.name, stage.work, *loops, largest, stage.tolerance, stage.unit)


def spread(values: Sequence[float], unit: str = "") -> str:
    """The median, and the smallest and largest value: `2.00 s (1.90 to 2.20)`."""
    return f"{_short(statistics.median(values))}{unit} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table(comparisons: Iterable[Comparison]) -> str:
    """The comparisons as a table in Markdown."""
    head = ["stage", "work", "plain loop", "ours", "ratio", "floor", "largest difference"]
    rows = [
        [
            one.name,
            one.work,
            spread(one.plain, " s"),
            spread(one.ours, " s"),
            spread(one.ratios),
            f"{_short(statistics.median(one.floor))} s",
            f"{one.difference:.2g} of {one.tolerance:g} {one.unit}" + ("" if one.held else ": TOO LARGE"),
        ]
        for one in comparisons
    ]
    return _markdown([head, *rows])


def times_table(times: Iterable[Times]) -> str:
    """Times without a reference loop as a table in Markdown."""
    return _markdown([["start-up", "time"], *([one.name, spread(one.seconds, " s")] for one in times)])


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def write_json(path: Path, machine: dict[str, Any], comparisons: Iterable[Comparison], times: Iterable[Times]) -> None:
    """Write all results atomically, so that an interrupted run keeps those of its finished stages."""
    content = {
        "machine": machine,
        "stages": [one.to_json() for one in comparisons],
        "start_ups": [{**asdict(one), "median": statistics.median(one.seconds)} for one in times],
    }
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)

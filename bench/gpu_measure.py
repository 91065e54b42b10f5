"""Measurement for `gpu_check`: times by CUDA events, memory, switches of torch, and a report on disk."""

import contextlib
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu_parts import is_full


@dataclass
class Report:
    """Results by step, written to a JSON file at every change, so that an interrupted run keeps them."""

    path: Path
    results: dict[str, Any] = field(default_factory=dict)

    def add(self, step: str, name: str, value: Any) -> None:
        """Record and print a result."""
        self.results.setdefault(step, {})[name] = value
        self.write()
        print(f"[{step}] {name}: {json.dumps(value)}", flush=True)

    def check(self, step: str, name: str, value: float, limit: float, *, at_least: bool = False) -> None:
        """Record and print whether a value is within its tolerance; NaN never is."""
        held = value >= limit if at_least else value <= limit
        sign = ">=" if at_least else "<="
        self.results.setdefault("checks", []).append(
            {"step": step, "name": name, "value": value, "limit": f"{sign} {limit}", "held": bool(held)}
        )
        self.write()
        print(f"[{step}] {'held' if held else 'BROKEN'}: {name}: {value:.6g} {sign} {limit}", flush=True)

    def write(self) -> None:
        """Write all results atomically."""
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


class OutOfTime(Exception):
    """A step has reached its time limit."""


@dataclass(frozen=True)
class Clock:
    """The deadline of a step, in seconds of `time.monotonic`."""

    deadline: float

    def require(self, seconds: float = 0.0) -> None:
        """Raise `OutOfTime` unless this many seconds remain."""
        if time.monotonic() + seconds > self.deadline:
            raise OutOfTime


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def free_memory() -> None:
    """Release unused memory."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def wall_seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Measure the time of one call, including all work that it starts on the device."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def median_seconds(work: Callable[[], Any], device: torch.device, repeats: int = 10) -> float:
    """Measure the median time of a call on the device, with CUDA events if available, after a warm-up."""
    work()
    work()
    synchronise(device)
    if device.type != "cuda":
        return statistics.median(wall_seconds(work, device) for _ in range(repeats))
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        times.append((start, end))
    synchronise(device)
    return statistics.median(start.elapsed_time(end) for start, end in times) / 1000


def reset_peak(device: torch.device) -> None:
    """Reset the peak of memory use."""
    free_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_gb(device: torch.device) -> dict[str, float]:
    """Return the peak of GPU memory since `reset_peak`, in GB: allocated by tensors, and reserved by torch."""
    if device.type != "cuda":
        return {}
    allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {"peak_gb": round(allocated / 1e9, 2), "reserved_gb": round(reserved / 1e9, 2)}


def tera_flop(work: Callable[[], Any]) -> float:
    """Count the TFLOP of matrix products and convolutions in a call; a multiply-add counts as two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e12


@contextlib.contextmanager
def switched(
    *,
    deterministic: bool | None = None,
    strict: bool | None = None,
    fill: bool | None = None,
    benchmark: bool | None = None,
    tf32: bool | None = None,
) -> Iterator[None]:
    """Set switches of torch inside the block; omitted ones are unchanged, and all are restored afterwards.

    `strict` makes a nondeterministic kernel an error instead of a warning, and selects deterministic attention;
    `fill` fills new tensors with NaN.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        not torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
    )
    wanted = (deterministic, strict, fill, benchmark, tf32)
    try:
        _switch(*(old if new is None else new for old, new in zip(before, wanted, strict=True)))
        yield
    finally:
        _switch(*before)


def _switch(deterministic: bool, strict: bool, fill: bool, benchmark: bool, tf32: bool) -> None:
    torch.use_deterministic_algorithms(deterministic, warn_only=not strict)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.backends.cudnn.benchmark = benchmark
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def fits(work: Callable[[], Any]) -> bool:
    """Return whether a call finds enough memory."""
    try:
        work()
    except RuntimeError as error:
        if not is_full(error):
            raise
        # Nothing is freed here: the frames of the error still reference their tensors.
        full = True
    else:
        full = False
    free_memory()
    return not full


class PartTimes:
    """Context manager that measures the time of modules on the device, and checks that their outputs are finite."""

    def __init__(self, device: torch.device, **modules: nn.Module) -> None:
        """Name the modules whose calls are timed."""
        self.device, self.modules = device, modules
        self.marks: dict[str, list[Any]] = {name: [] for name in modules}
        self.finite: dict[str, torch.Tensor] = {}

    def __enter__(self) -> "PartTimes":
        """Register the hooks."""
        self.handles = []
        for name, module in self.modules.items():
            self.handles.append(module.register_forward_pre_hook(lambda *_, name=name: self._mark(name)))
            self.handles.append(module.register_forward_hook(lambda *args, name=name: self._after(name, args[2])))
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the hooks."""
        for handle in self.handles:
            handle.remove()

    def _after(self, name: str, output: Any) -> None:
        self._mark(name)
        self.finite[name] = (output if isinstance(output, torch.Tensor) else output[0]).isfinite().all()

    def _mark(self, name: str) -> None:
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks[name].append(event)
        else:
            self.marks[name].append(time.perf_counter())

    def seconds(self) -> dict[str, float]:
        """Return the total time of each module."""
        synchronise(self.device)
        sums = {}
        for name, marks in self.marks.items():
            pairs = list(zip(marks[::2], marks[1::2], strict=True))
            if self.device.type == "cuda":
                sums[name] = sum(start.elapsed_time(end) for start, end in pairs) / 1000
            else:
                sums[name] = sum(end - start for start, end in pairs)
        return sums

"""Check the library on a GPU: agreement with the CPU, and speed and memory of its stages.

Needs no data, no trained weights except the demo's, and no Snakemake. All results are written to a JSON file, which is
updated after every measurement. The exit status is 1 when a step fails or a tolerance is exceeded; full memory and a
lack of time are results.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from bench import (
    gpu_agreement,
    gpu_ceilings,
    gpu_demo,
    gpu_generation,
    gpu_inversion,
    gpu_limits,
    gpu_repeat,
    gpu_vision,
)
from bench.arguments import output_file
from bench.gpu_measure import Clock, OutOfTime, Report, free_memory
from bench.gpu_parts import InputError, Setup, positive, prepare_torch

Step = Callable[[Setup, Report, Clock], None]
# Each step with its time limit in seconds.
STEPS: dict[str, tuple[Step, float]] = {
    "ceilings": (gpu_ceilings.run, 20),
    "agreement": (gpu_agreement.run, 90),
    "demo": (gpu_demo.run, 150),
    "repeat": (gpu_repeat.run, 40),
    "inversion": (gpu_inversion.run, 60),
    "generation": (gpu_generation.run, 60),
    "memory": (gpu_limits.run, 80),
    "vision": (gpu_vision.run, 60),
}
LONG: dict[str, tuple[Step, float]] = {"compiled": (gpu_generation.compiled, 150)}  # only when named
ALL_STEPS = STEPS | LONG
GRACE = 15.0  # seconds beyond the limit after which a step that does not check its clock is stopped


def main() -> int:
    """Run the program; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=output_file, required=True, help="JSON file to write")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="default: %(default)s")
    parser.add_argument("--small", action="store_true", help="run all steps on tiny models, to test this program")
    parser.add_argument("--steps", default=",".join(STEPS), help="steps in this order (default: %(default)s)")
    parser.add_argument("--recording", type=Path, help="folder written by bench/record_demo.py, for the step demo")
    parser.add_argument("--seconds", type=_seconds, default=480.0, help="time for all steps (default: %(default)s)")
    parser.add_argument(
        "--torch-threads", type=positive, default=8, metavar="N", help="CPU threads (default: %(default)s)"
    )
    arguments = parser.parse_args()
    names = arguments.steps.split(",")
    if unknown := [name for name in names if name not in ALL_STEPS]:
        parser.error(f"unknown step {unknown[0]!r}; there are: {', '.join(ALL_STEPS)}")
    if len(set(names)) < len(names):
        parser.error(f"--steps {arguments.steps}: name each step once")

    end = time.monotonic() + arguments.seconds
    try:
        if arguments.recording:
            gpu_demo.read_jobs(arguments.recording)
    except InputError as error:
        parser.error(str(error))
    try:
        device = prepare_torch(arguments.device, arguments.torch_threads)
    except InputError as error:
        parser.error(f"--device {arguments.device}: {error}")
    report = Report(arguments.output)
    _collect_warnings(report)
    signal.signal(signal.SIGALRM, _stop)
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(device, arguments.small, Path(folder), arguments.torch_threads, arguments.recording)
        for name in names:
            _run(name, setup, report, end)
    print(summary(report.results), flush=True)
    broken = [check for check in report.results.get("checks", []) if not check["held"]]
    return 1 if broken or report.results.get("failed") else 0


def _seconds(text: str) -> float:
    """A number above 0."""
    with contextlib.suppress(ValueError):
        if (seconds := float(text)) > 0:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")


def _run(name: str, setup: Setup, report: Report, end: float) -> None:
    """Run a step within its time limit, and record how it ended."""
    step, seconds = ALL_STEPS[name]
    start = time.monotonic()
    deadline = min(start + seconds, end)
    if deadline - start < 5:
        report.results.setdefault("out_of_time", []).append(name)
        report.write()
        return
    signal.setitimer(signal.ITIMER_REAL, deadline - start + GRACE)
    try:
        step(setup, report, Clock(deadline))
    except OutOfTime:
        report.results.setdefault("out_of_time", []).append(name)
    except Exception as error:  # after any error, the other steps are still useful
        traceback.print_exc()
        report.results.setdefault("failed", {})[name] = "".join(traceback.format_exception(error))[-3000:]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        report.add("seconds", name, round(time.monotonic() - start, 1))
    free_memory()


def _stop(_: int, __: FrameType | None) -> None:
    raise OutOfTime


def _collect_warnings(report: Report) -> None:
    """Record the first line of each warning in the results."""

    def keep(message: Warning | str, category: type[Warning], file: str, line: int, *_: Any) -> None:
        text = f"{category.__name__}: {str(message).strip().partition(chr(10))[0][:300]} ({Path(file).name}:{line})"
        known = report.results.setdefault("warnings", [])
        if text not in known:
            known.append(text)

    warnings.showwarning = keep


def summary(results: dict[str, Any]) -> str:
    """Format a short table of measurements, checks, and steps without a result."""
    lines = [f"card: {results.get('ceilings', {}).get('versions', {}).get('card', 'not measured')}"]
    for step in ALL_STEPS:
        for name, value in results.get(step, {}).items():
            if isinstance(value, dict) and ("tflop_per_s" in value or "images_per_s" in value):
                shown = {
                    key: value[key] for key in ("class_steps_per_s", "images_per_s", "tflop_per_s") if key in value
                }
                shown |= {key: value[key] for key in ("unet_s", "decode_s", "other_s", "peak_gb") if key in value}
                lines.append(f"{step:10} {name:60} " + " ".join(f"{key}={number}" for key, number in shown.items()))
            elif not isinstance(value, dict):
                lines.append(f"{step:10} {name:48} {value}")
    for check in results.get("checks", []):
        word = "held" if check["held"] else "BROKEN"
        lines.append(f"{word:10} {check['name']:48} {check['value']:.6g} {check['limit']}")
    lines += [f"out of time: {name}" for name in results.get("out_of_time", [])]
    lines += [f"failed: {name}: {text.strip().splitlines()[-1]}" for name, text in results.get("failed", {}).items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

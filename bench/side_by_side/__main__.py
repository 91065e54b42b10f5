"""Measure each stage beside a plain reference loop in the manner of the published scripts, in one interleaved run.

Both loops compute the same result, with the demo's models. Prints tables in Markdown and writes all repeats as JSON.
Exits with 1 if the results of a stage differ by more than its tolerance.
"""

import argparse
import importlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from bench.arguments import output_file
from diagen.runtime.arguments import positive
from diagen.runtime.execution import prepare_torch

OUTPUT = Path(__file__).resolve().parents[1] / "build" / "side_by_side.json"
STAGES = {
    "inversion": ("inversion.stage", "inversion.own_table"),
    "generation": ("generation.stage",),
    "weights": ("weights.stage",),
    "downstream": ("downstream.stage", "downstream.cached_views", "downstream.large_images"),
    "features": ("features.stage",),
    "diversity": ("diversity.stage", "diversity.against_brute_force"),
}
"""Functions in the modules of this package that return a `Stage`."""
START_UPS = "start_ups"
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "pillow", "prdc", "snakemake")


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.side_by_side", description=__doc__)
    names = (*STAGES, START_UPS)
    parser.add_argument("--stages", nargs="+", choices=names, default=names, metavar="STAGE", help=", ".join(names))
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--threads", type=positive, default=2, metavar="N", help="threads of torch (default: %(default)s)"
    )
    parser.add_argument("--small", action="store_true", help="test the program; its times mean nothing")
    parser.add_argument("--output", type=output_file, default=OUTPUT, help="JSON file (default: %(default)s)")
    arguments = parser.parse_args()
    # numpy's products use these, and it reads them when it is imported.
    for library in ("OMP", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(arguments.threads)
    prepare_torch("cpu", arguments.threads)
    if not run(arguments.stages, arguments.repeats, arguments.threads, arguments.output, small=arguments.small):
        sys.exit(1)


def run(stages: list[str], repeats: int, threads: int, output: Path, *, small: bool) -> bool:
    """Measure the stages, report each when it ends, and return whether all results agree."""
    from bench.side_by_side import start_ups
    from bench.side_by_side.material import Workplace
    from bench.side_by_side.measure import Comparison, Stage, Times, compare, table, times_table, write_json

    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "small": small,
    }
    comparisons: list[Comparison] = []
    times: list[Times] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder), small)
        for name in stages:
            for path in STAGES.get(name, ()):
                module, function = path.split(".")
                new: Callable[[Workplace], Stage] = getattr(
                    importlib.import_module(f"bench.side_by_side.{module}"), function
                )
                comparisons.append(compare(new(place), repeats))
                print(f"measured {comparisons[-1].name}", file=sys.stderr, flush=True)
                write_json(output, machine, comparisons, times)
        if START_UPS in stages:
            times = start_ups.measure(place, repeats)
            write_json(output, machine, comparisons, times)
    if comparisons:
        print(table(comparisons))
    if times:
        print("\n" + times_table(times))
    print(f"\nAll repeats: {output}")
    return all(one.held for one in comparisons)


if __name__ == "__main__":
    main()

"""Command-line arguments that several programs share."""

import argparse

from diagen.cells import Cell
from diagen.runtime.gpu_lease import JOBS


def positive(text: str) -> int:
    """The whole number, 1 or more, that an argument gives. Raises `ArgumentTypeError`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def add_cell_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--dataset`, `--seed` and `--shots`, which identify a cell."""
    parser.add_argument("--dataset", required=True, metavar="NAME", help="dataset of the cell")
    parser.add_argument("--seed", required=True, type=int, metavar="N", help="seed of the cell")
    parser.add_argument("--shots", required=True, type=int, metavar="N", help="guide images per class")


def cell_of(arguments: argparse.Namespace) -> Cell:
    """Return the cell that the arguments of `add_cell_arguments` identify."""
    return Cell(arguments.dataset, arguments.seed, arguments.shots)


def add_execution_arguments(
    parser: argparse.ArgumentParser, *, micro_batch: bool = True, jobs_per_gpu: bool = False
) -> None:
    """Add `--device`, `--torch-threads` and, if they apply, `--micro-batch` and `--jobs-per-gpu`."""
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"], help="default: %(default)s")
    parser.add_argument(
        "--torch-threads", type=positive, default=2, metavar="N", help="CPU threads of torch (default: 2)"
    )
    if micro_batch:
        parser.add_argument(
            "--micro-batch",
            type=positive,
            default=16,
            metavar="N",
            help="images per pass (default: %(default)s)",
        )
    if jobs_per_gpu:
        parser.add_argument(
            "--jobs-per-gpu",
            type=int,
            default=1,
            choices=JOBS,
            help="jobs that may share the GPU (default: %(default)s)",
        )

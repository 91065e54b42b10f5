"""List what the store keeps and no result names: images, learned words, checkpoints, and remains of killed jobs.

With --remove it is removed as well. While a run works with the store, neither is done.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from diagen.errors import InputError
from diagen.runtime.program import run
from diagen.runtime.run_lock import LockHeld, hold


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, metavar="DIR", help="folder of all experiments")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="folder of images and checkpoints")
    parser.add_argument("--remove", action="store_true", help="remove what is listed")
    arguments = parser.parse_args()

    from diagen.store.unneeded import find_unneeded

    try:
        lock = hold(arguments.store)  # noqa: F841  (held while the program runs)
    except LockHeld as error:
        raise InputError(f"{error}; wait for the run to end: its images have no manifest yet") from None
    found = find_unneeded(arguments.results, arguments.store)
    show("images that no manifest names", found.images)
    show("learned words that no embeddings hold", found.words)
    show("checkpoints that nothing goes on from", found.checkpoints)
    show("remains of jobs that were killed", found.temporary)
    if found.waiting:
        plans = "".join(f"\n  {plan}" for plan in found.unfilled)
        print(
            f"kept: {size(found.waiting)} that no manifest names but one may, since these plans have none yet:{plans}\n"
            "Run their experiments to the end first or, to give them up, remove these plans."
        )
    removable = found.removable()
    total = size(removable)
    if arguments.remove:
        for path in removable:
            path.unlink()
        print(f"Removed {total}.")
    else:
        print(f"Nothing needs {total}." + (" `snakemake remove_unneeded` removes them." if removable else ""))


def show(what: str, files: Sequence[Path]) -> None:
    """Print the files of a kind under its name."""
    if files:
        print(f"{what}: {size(files)}", *(f"  {path}" for path in files), sep="\n")


def size(files: Sequence[Path]) -> str:
    """Number and size of files, as it is printed."""
    return (
        f"{len(files)} file{'s' if len(files) != 1 else ''}, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    run(main)

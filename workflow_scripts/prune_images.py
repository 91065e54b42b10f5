"""List files that no result needs: images, words, features and checkpoints in the store, and files of killed jobs.

With --remove, they are removed. Fails while a run uses the store.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from diagen.errors import InputError, rm
from diagen.plurals import count
from diagen.runtime.program import run
from diagen.runtime.run_lock import LockHeld, hold


def main() -> None:
    """Find the files, print them, and remove them on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, metavar="DIR", help="folder of all experiments")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="store folder")
    parser.add_argument("--remove", action="store_true", help="remove the listed files")
    arguments = parser.parse_args()

    for option, folder in (("--results", arguments.results), ("--store", arguments.store)):
        if not folder.is_dir():
            raise InputError(f"{option} {folder}: no such folder. Correct the path")

    from diagen.store.unneeded import find_unneeded

    try:
        lock = hold(arguments.store)  # noqa: F841  (held while the program runs)
    except LockHeld as error:
        raise InputError(f"{error}: its images have no manifest yet. Wait for the run to end") from None
    found = find_unneeded(arguments.results, arguments.store)
    show("images in no manifest", found.images)
    show("learned words in no embeddings", found.words)
    show("features of photos, older than 30 days", found.features)
    show("checkpoints that no job needs", found.checkpoints)
    show("temporary files of killed jobs", found.temporary)
    if found.waiting:
        print(
            f"kept: {size(found.waiting)} in no manifest, which may belong to plans without a manifest. Run these "
            f"experiments to the end, or discard the plans:\n  {rm(*found.unfilled)}"
        )
    removable = found.removable()
    total = size(removable)
    if arguments.remove:
        for path in removable:
            path.unlink()
        print(f"Removed {total}.")
    else:
        print(f"Unneeded: {total}.")
        if removable:
            print("To remove them: .venv/bin/snakemake --cores 1 remove_unneeded")


def show(kind: str, files: Sequence[Path]) -> None:
    """Print the files of a kind under its name."""
    if files:
        print(f"{kind}: {size(files)}", *(f"  {path}" for path in files), sep="\n")


def size(files: Sequence[Path]) -> str:
    """Number and total size of files, as text."""
    return f"{count(len(files), 'file')}, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


if __name__ == "__main__":
    run(main)

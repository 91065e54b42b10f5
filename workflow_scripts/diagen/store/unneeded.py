"""The store keeps what experiments share and what interrupted jobs go on with: which of it nothing names any more."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from diagen.files.atomic import TEMPORARY
from diagen.files.tables import DamagedFile, read_rows

KEPT_DAYS = 30  # words and checkpoints are small and took hours; an experiment that was put off goes on with them
Word = tuple[str, bytes]  # class, vectors


@dataclass
class Unneeded:
    """Files that nothing names, by kind.

    `waiting` are images that no manifest names, but one may: that of a plan among `unfilled`, which has none yet.
    """

    images: list[Path] = field(default_factory=list)
    words: list[Path] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    unfilled: list[Path] = field(default_factory=list)

    def removable(self) -> list[Path]:
        """All that can go."""
        return [*self.images, *self.words, *self.checkpoints, *self.temporary]


def find_unneeded(results: Path, store: Path) -> Unneeded:
    """What no experiment in the folder `results` needs of `store`, and what killed jobs left behind anywhere.

    An image is needed if a manifest names it. Learned words are needed if a file of embeddings holds them; others, and
    checkpoints of words that aren't learned yet, may be those of an interrupted job and are needed for 30 days.
    Raises `DamagedFile` for a manifest that can't be read: its images would be taken for unneeded.
    """
    found = Unneeded()
    named = {name for manifest in _experiments(results, store, "manifest.csv") for name in _named_images(manifest)}
    plans = _experiments(results, store, "plan.csv")
    found.unfilled = [plan for plan in plans if not plan.with_name("manifest.csv").is_file()]
    unnamed = [
        image
        for image in _files(store / "images", "*/*.png")
        if f"images/{image.parent.name}/{image.name}" not in named
    ]
    if found.unfilled:
        found.waiting = unnamed
    else:
        found.images = unnamed
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    held = {word for file in _experiments(results, store, "embeddings/*.safetensors") for word in _words(file)}
    for file in _files(store / "words", "*.safetensors"):
        if file.stat().st_mtime < oldest and not held.issuperset(_words(file)):
            found.words.append(file)
    for file in _files(store / "checkpoints", "*.safetensors"):
        if file.stat().st_mtime < oldest or (store / "words" / file.name).is_file():
            found.checkpoints.append(file)
    places = [results, store] if store.is_symlink() else [results]  # a walk doesn't follow a link to another disk
    found.temporary = sorted(path for place in places for path in place.rglob(".*") if TEMPORARY.fullmatch(path.name))
    return found


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _experiments(results: Path, store: Path, pattern: str) -> list[Path]:
    """The files of all experiments that match `pattern`, which is looked for at any depth."""
    folders = [folder for folder in results.iterdir() if folder.is_dir() and folder != store]
    return sorted(path for folder in folders for path in folder.rglob(pattern) if not path.name.startswith("."))


def _named_images(manifest: Path) -> Iterator[str]:
    names = read_rows(manifest, ["file_name"], lambda values: values["file_name"])
    plan = manifest.with_name("plan.csv")
    if plan.is_file() and len(names) != len(read_rows(plan, [], dict)):
        raise DamagedFile(manifest, "it doesn't hold what plan.csv beside it plans")
    yield from names


def _words(file: Path) -> Iterator[Word]:
    """The words in a safetensors file; none if it is damaged."""
    try:
        yield from ((name, vectors.tobytes()) for name, vectors in load_file(file).items())
    except SafetensorError:
        return

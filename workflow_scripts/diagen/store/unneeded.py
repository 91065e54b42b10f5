"""Unneeded files in the store, which holds what experiments share and the state of interrupted jobs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from diagen.files.atomic import TEMPORARY
from diagen.files.tables import DamagedFile, read_rows

KEPT_DAYS = 30  # of words, features and checkpoints, which later or interrupted jobs use
MANIFESTS = ("manifest.csv", "noise_ladder.csv")  # tables that list images
Word = tuple[str, bytes]  # class, vectors


@dataclass
class Unneeded:
    """Unneeded files by kind.

    `waiting` holds images that no manifest lists yet, but which may belong to a plan in `unfilled`, a list of plans
    without a manifest.
    """

    images: list[Path] = field(default_factory=list)
    words: list[Path] = field(default_factory=list)
    features: list[Path] = field(default_factory=list)
    checkpoints: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    unfilled: list[Path] = field(default_factory=list)

    def removable(self) -> list[Path]:
        """All files that can be removed."""
        return [*self.images, *self.words, *self.features, *self.checkpoints, *self.temporary]


def find_unneeded(results: Path, store: Path) -> Unneeded:
    """Files in `store` that no experiment in the folder `results` needs, and temporary files of killed jobs in both.

    An image is needed if a manifest lists it. Learned words are needed if a file of embeddings contains them; others,
    and checkpoints of words that are not learned yet, may belong to an interrupted job and are kept for 30 days, as are
    features of photos, which later methods use.
    Raises `DamagedFile` for an unreadable manifest, since its images would appear unneeded.
    """
    found = Unneeded()
    manifests = [file for name in MANIFESTS for file in _experiments(results, store, name)]
    named = {name for manifest in manifests for name in _named_images(manifest)}
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
    found.features = [file for file in _files(store / "features", "*.safetensors") if file.stat().st_mtime < oldest]
    for file in _files(store / "checkpoints", "*.safetensors"):
        if file.stat().st_mtime < oldest or (store / "words" / file.name).is_file():
            found.checkpoints.append(file)
    places = [results, store] if store.is_symlink() else [results]  # rglob does not follow links
    found.temporary = sorted(path for place in places for path in place.rglob(".*") if TEMPORARY.fullmatch(path.name))
    return found


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _experiments(results: Path, store: Path, pattern: str) -> list[Path]:
    """The files of all experiments that match `pattern` at any depth."""
    folders = [folder for folder in results.iterdir() if folder.is_dir() and folder != store]
    return sorted(path for folder in folders for path in folder.rglob(pattern) if not path.name.startswith("."))


def _named_images(manifest: Path) -> Iterator[str]:
    names = read_rows(manifest, ["file_name"], lambda values: values["file_name"])
    plan = manifest.with_name("plan.csv")
    if plan.is_file() and len(names) != len(read_rows(plan, [], lambda _: None)):
        raise DamagedFile(manifest, "it does not list the images that plan.csv plans")
    yield from names


def _words(file: Path) -> Iterator[Word]:
    """The words in a safetensors file; none if the file is damaged."""
    try:
        yield from ((name, vectors.tobytes()) for name, vectors in load_file(file).items())
    except SafetensorError:
        return

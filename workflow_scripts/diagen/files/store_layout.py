"""Where the store keeps what: every path below `results/store`, and what each is named by."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from diagen.seeds import stable_hash

IMAGES, WORDS, CHECKPOINTS = "images", "words", "checkpoints"
"""Folders of the store: synthetic images, learned words by group, and states of interrupted trainings."""


def image_file_name(digest: str) -> str:
    """The file of a synthetic image, relative to the store, as manifests hold it; `digest` decides its pixels."""
    return f"{IMAGES}/{digest[:2]}/{digest}.png"


def words_path(store: Path, digest: str) -> Path:
    """The file of a group of learned words; `digest` decides their values."""
    return store / WORDS / f"{digest}.safetensors"


def checkpoint_of(words: Path) -> Path:
    """The file that keeps the state of learning the group of words in the file `words`."""
    return words.parents[1] / CHECKPOINTS / words.name


def checkpoint_path(store: Path, code: str, settings: str, inputs: Iterable[Path | None], *cell: str | int) -> Path:
    """The file that keeps the state of a training, named by a hash of everything that decides it.

    `code` is the fingerprint of the code that trains, `settings` are its settings as JSON, `inputs` the tables that it
    reads, which hold hashes of the images. The micro-batch is not part of it: it only changes rounding.
    """
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() if path else None for path in inputs]
    return store / CHECKPOINTS / f"{stable_hash(code, settings, *cell, *contents)}.safetensors"

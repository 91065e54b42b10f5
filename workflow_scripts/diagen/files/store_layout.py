"""Layout of the store `results/store`: its folders, and how files are named."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from diagen.seeds import stable_hash

IMAGES, WORDS, FEATURES, CHECKPOINTS = "images", "words", "features", "checkpoints"
"""Folders of the store: synthetic images, groups of learned words, features of real photos, and checkpoints."""


def image_file_name(digest: str) -> str:
    """Return the file of a synthetic image, relative to the store, as in manifests; `digest` hashes what decides it."""
    return f"{IMAGES}/{digest[:2]}/{digest}.png"


def words_path(store: Path, digest: str) -> Path:
    """Return the file of a group of learned words; `digest` is the hash of everything that decides them."""
    return store / WORDS / f"{digest}.safetensors"


def features_path(store: Path, digest: str) -> Path:
    """Return the file of the features of photos; `digest` is the hash of everything that decides them."""
    return store / FEATURES / f"{digest}.safetensors"


def checkpoint_of(words: Path) -> Path:
    """Return the checkpoint of the group of words that is learned into the file `words`."""
    return words.parents[1] / CHECKPOINTS / words.name


def checkpoint_path(store: Path, code: str, settings: str, inputs: Iterable[Path | None], *cell: str | int) -> Path:
    """Return the checkpoint of a training, named by a hash of everything that decides the result.

    `code` is the fingerprint of the training code, `settings` are its settings as JSON, `inputs` are the tables that it
    reads, which contain hashes of the images. The micro-batch is not included, since it only changes rounding.
    """
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() if path else None for path in inputs]
    return store / CHECKPOINTS / f"{stable_hash(code, settings, *cell, *contents)}.safetensors"

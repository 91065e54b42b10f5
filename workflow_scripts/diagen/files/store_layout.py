"""What changes while a linear layer is trained, from epoch to epoch, and the checkpoint that it is kept in."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from diagen.seeds import stable_hash


def checkpoint_path(store: Path, code: str, settings: str, inputs: Iterable[Path | None], *cell: str | int) -> Path:
    """Where the store keeps the state of a training: named by a hash of everything that decides it.

    `code` is the program's fingerprint, `settings` are its settings as JSON, `inputs` the tables that it reads, which
    hold hashes of the images. The micro-batch isn't among them: it only rounds.
    """
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() if path else None for path in inputs]
    return store / "checkpoints" / f"{stable_hash(code, settings, *cell, *contents)}.safetensors"

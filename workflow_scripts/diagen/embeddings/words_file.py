"""Learned words, and the safetensors file with the words of a cell."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from diagen.files.atomic import atomic_path
from diagen.files.made_with import MadeWith, from_text, to_text
from diagen.files.tables import reading


@dataclass(frozen=True)
class LearnedWord:
    """The word of a class: `vectors` float32 [vectors, width], and its mean loss over the last tenth of the steps.

    `made_with` records versions, device and threads.
    """

    class_name: str
    vectors: Tensor
    loss: float
    made_with: MadeWith = ()


def write_words(words: Sequence[LearnedWord], path: Path) -> None:
    """Write learned words atomically as safetensors: a tensor per class; losses and records as JSON in the metadata."""
    ordered = sorted(words, key=lambda word: word.class_name)
    about = {word.class_name: {"loss": word.loss, "made_with": to_text(word.made_with)} for word in ordered}
    with atomic_path(path) as temporary:
        # One metadata key: safetensors writes several in no fixed order, and equal words must give equal bytes.
        save_file({word.class_name: word.vectors for word in ordered}, temporary, metadata={"words": json.dumps(about)})


def read_learned_words(path: Path) -> list[LearnedWord]:
    """Read the words of a cell, sorted by class. Raises `DamagedFile`."""
    with reading(path, SafetensorError), safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["words"])
        words = [
            LearnedWord(name, file.get_tensor(name), about[name]["loss"], from_text(about[name]["made_with"]))
            for name in sorted(about)
        ]
        if not all(word.vectors.ndim == 2 and word.vectors.isfinite().all() for word in words):
            raise ValueError("not all words are vectors of finite numbers")
        if len({(word.vectors.shape, word.vectors.dtype) for word in words}) > 1:
            raise ValueError("the words have different numbers of vectors, widths or types")
        return words


def read_words(path: Path) -> dict[str, Tensor]:
    """Read the words of a cell: float32 [vectors, width] by class name. Raises `DamagedFile`."""
    return {word.class_name: word.vectors for word in read_learned_words(path)}

"""Textual Inversion (arXiv 2208.01618) of all words of a cell in one batch: each class's word is learned alone.

Everything but the words is frozen, so a word's gradient comes from its own class's images only, and many words can
share one forward and backward pass: the loss is the sum of the classes' means.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from diagen.files.atomic import atomic_path
from diagen.files.tables import reading


@dataclass(frozen=True)
class LearnedWord:
    """A class's word: `vectors` float32 [vectors, width], and its mean loss over the last tenth of the steps."""

    class_name: str
    vectors: Tensor
    loss: float


def write_words(words: Sequence[LearnedWord], path: Path) -> None:
    """Write learned words as safetensors: a tensor per class, the losses as metadata."""
    ordered = sorted(words, key=lambda word: word.class_name)
    # One metadata key: safetensors keeps several in no fixed order, and the same words must give the same bytes.
    metadata = {"losses": json.dumps({word.class_name: word.loss for word in ordered})}
    with atomic_path(path) as temporary:
        save_file({word.class_name: word.vectors for word in ordered}, temporary, metadata=metadata)


def read_learned_words(path: Path) -> list[LearnedWord]:
    """Read the words of a cell with their losses, sorted by class. Raises `InputError` when the file is damaged."""
    with reading(path, "learn_embeddings", SafetensorError), safe_open(path, framework="pt") as file:
        losses = json.loads(file.metadata()["losses"])
        words = [LearnedWord(name, file.get_tensor(name), losses[name]) for name in sorted(losses)]
        if not all(word.vectors.ndim == 2 and word.vectors.isfinite().all() for word in words):
            raise ValueError("it holds other words than vectors of finite numbers")
        return words


def read_words(path: Path) -> dict[str, Tensor]:
    """Read the words of a cell: float32 [vectors, width] by class name."""
    return {word.class_name: word.vectors for word in read_learned_words(path)}

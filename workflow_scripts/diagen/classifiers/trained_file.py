"""The files of a training: `head.safetensors`, the linear layer, and `history.csv`, its epochs."""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from diagen.classifiers.heads import Head
from diagen.files.atomic import atomic_path
from diagen.files.tables import reading, write_rows


@dataclass(frozen=True)
class Epoch:
    """A row of the history: losses in nats, accuracy in [0, 1].

    Validation values are means of the classes' means; `None`, an empty field, without validation.
    """

    epoch: int
    train_loss: float
    val_loss: float | None
    val_accuracy: float | None


def write_head(head: Head, path: Path) -> None:
    """Write the layer to `path`: tensors `weight`, `bias` and any statistics, and the classes as JSON metadata."""
    with atomic_path(path) as temporary:
        save_file(
            {"weight": head.weight.contiguous(), "bias": head.bias.contiguous(), **head.statistics},
            temporary,
            metadata={"classes": json.dumps(head.classes)},
        )


def read_head(path: Path) -> Head:
    """Read a layer that `write_head` wrote. Raises `InputError` when the file is damaged."""
    with reading(path, SafetensorError):
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            classes = tuple(json.loads(file.metadata()["classes"]))
        head = Head(tensors.pop("weight"), tensors.pop("bias"), classes, tensors)
        if head.weight.ndim != 2 or head.bias.shape != head.weight.shape[:1] or len(head.bias) != len(classes):
            raise ValueError("the shapes of weight and bias do not match the number of classes")
        if not all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in (head.weight, head.bias)):
            raise ValueError("weight or bias has values other than finite float32 numbers")
        return head


def write_history(history: Sequence[Epoch], path: Path) -> None:
    """Write the epochs as CSV."""
    write_rows([field.name for field in fields(Epoch)], map(astuple, history), path)

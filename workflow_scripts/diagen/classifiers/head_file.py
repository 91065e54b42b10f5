"""The safetensors file of a trained linear layer."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from diagen.classifiers.heads import Head
from diagen.files.atomic import atomic_path
from diagen.files.tables import reading


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

"""The linear layers that are trained on a frozen backbone, and their files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from diagen.atomic import atomic_path
from diagen.result_files import reading


@dataclass(frozen=True)
class Head:
    """A linear layer: `weight` `[C, D]` and `bias` `[C]`, float32; rows are in the order of `classes`.

    `statistics` are the running statistics of the backbone's BatchNorm that it was trained with; empty for its own.
    """

    weight: Tensor
    bias: Tensor
    classes: tuple[str, ...]
    statistics: dict[str, Tensor] = field(default_factory=dict)

    def logits(self, features: Tensor) -> Tensor:
        """Logits `[n, C]` of features `[n, D]`."""
        return functional.linear(features, self.weight, self.bias)


def new_head(classes: Sequence[str], width: int, seed: int) -> Head:
    """An untrained layer: uniform within 1/sqrt(D), as `torch.nn.Linear` starts."""
    generator = torch.Generator().manual_seed(seed)
    bound = width**-0.5
    weight = torch.empty(len(classes), width).uniform_(-bound, bound, generator=generator)
    bias = torch.empty(len(classes)).uniform_(-bound, bound, generator=generator)
    return Head(weight, bias, tuple(classes))


def write_head(head: Head, path: Path) -> None:
    """Write the layer as safetensors: `weight`, `bias`, any statistics, and the classes as JSON in the metadata."""
    with atomic_path(path) as temporary:
        save_file(
            {"weight": head.weight.contiguous(), "bias": head.bias.contiguous(), **head.statistics},
            temporary,
            metadata={"classes": json.dumps(head.classes)},
        )


def read_head(path: Path) -> Head:
    """Read a layer that `write_head` wrote. Raises `InputError` when it is damaged."""
    with reading(path, "train_guide_classifier or train_downstream", SafetensorError):
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:
            classes = tuple(json.loads(file.metadata()["classes"]))
        head = Head(tensors.pop("weight"), tensors.pop("bias"), classes, tensors)
        if head.weight.ndim != 2 or head.bias.shape != head.weight.shape[:1] or len(head.bias) != len(classes):
            raise ValueError("weight, bias and classes don't fit each other")
        if not all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in (head.weight, head.bias)):
            raise ValueError("it holds other values than finite float32 numbers")
        return head

"""The linear layer that is trained on a frozen backbone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Head:
    """A linear layer: `weight` `[C, D]` and `bias` `[C]`, float32; rows are in the order of `classes`.

    `statistics` are the running statistics of the backbone's BatchNorm that the layer was trained with; empty if they
    are the backbone's own.
    """

    weight: Tensor
    bias: Tensor
    classes: tuple[str, ...]
    statistics: dict[str, Tensor] = field(default_factory=dict)

    def logits(self, features: Tensor) -> Tensor:
        """Logits `[n, C]` of features `[n, D]`."""
        return functional.linear(features, self.weight, self.bias)


def new_head(classes: Sequence[str], width: int, seed: int) -> Head:
    """An untrained layer, initialized uniformly within 1/sqrt(D) as in `torch.nn.Linear`; D is `width`."""
    generator = torch.Generator().manual_seed(seed)
    bound = width**-0.5
    weight = torch.empty(len(classes), width).uniform_(-bound, bound, generator=generator)
    bias = torch.empty(len(classes)).uniform_(-bound, bound, generator=generator)
    return Head(weight, bias, tuple(classes))

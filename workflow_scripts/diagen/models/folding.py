"""BatchNorm of a frozen ResNet, folded into its convolutions."""

from typing import Any

import torch
from torch import nn


def fold_batch_norm(classifier: Any) -> None:
    """Fold the BatchNorm layers of a ResNet of transformers into its convolutions, in place; other models stay as is.

    In evaluation mode BatchNorm is a fixed scale and shift of each channel, so features change by rounding only. The
    new weights are computed in float64. ReLU then overwrites its input, which no other layer of a ResNet reads.
    """
    if classifier.config.model_type != "resnet":
        return
    for layer in classifier.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = True
        elif isinstance(getattr(layer, "normalization", None), nn.BatchNorm2d):
            _fold(layer.convolution, layer.normalization)
            layer.normalization = nn.Identity()


@torch.no_grad()
def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Make `convolution` compute both layers, with the running statistics of `norm`."""
    known = {name: values.double() for name, values in norm.state_dict().items()}
    scale = known["weight"] / (known["running_var"] + norm.eps).sqrt()
    shift = known["bias"] - known["running_mean"] * scale
    weight = convolution.weight.double() * scale[:, None, None, None]
    convolution.weight = nn.Parameter(weight.to(norm.weight.dtype))
    convolution.bias = nn.Parameter(shift.to(norm.weight.dtype))

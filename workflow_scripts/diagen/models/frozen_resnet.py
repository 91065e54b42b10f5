"""A frozen ResNet, whose convolutions contain its BatchNorm.

Without transformers, which takes as long to import as a small classifier takes to train.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from diagen.models.classifier_body import Backbone

EPSILON = 1e-5  # of BatchNorm in transformers and torchvision
REDUCTION = 4  # of a bottleneck's inner channels
LAYER_TYPES = ("basic", "bottleneck")
FLAGS = ("downsample_in_first_stage", "downsample_in_bottleneck")  # false in files from before they existed


class FrozenResNet(Backbone):
    """The body of transformers' `ResNetForImageClassification` in evaluation mode; features differ by rounding only.

    BatchNorm then is a fixed scale and shift of each channel, which the convolutions take over, and ReLU overwrites its
    input.
    """

    def __init__(self, config: Mapping[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take the weights out of `tensors`, which have the names of transformers, as `config` describes them.

        Raises `KeyError`, `TypeError` or `ValueError` when one is missing or has another shape.
        """
        super().__init__()
        width, prefix = config["embedding_size"], "resnet.embedder.embedder"
        self.stem = _folded(tensors, prefix, (width, config["num_channels"], 7), stride=2)
        layers: list[_Layer] = []
        for stage, (channels, depth) in enumerate(zip(config["hidden_sizes"], config["depths"], strict=True)):
            for layer in range(depth):
                first = layer == 0 and (stage > 0 or config["downsample_in_first_stage"])
                name = f"resnet.encoder.stages.{stage}.layers.{layer}"
                layers.append(_Layer(config, tensors, name, width, channels, stride=2 if first else 1))
                width = channels
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features."""
        stem = functional.max_pool2d(self.stem(images).relu_(), kernel_size=3, stride=2, padding=1)
        return functional.adaptive_avg_pool2d(self.layers(stem), 1).flatten(1)


class _Layer(nn.Module):
    """A basic or bottleneck layer: convolutions beside a shortcut."""

    def __init__(
        self,
        config: Mapping[str, Any],
        tensors: dict[str, Tensor],
        name: str,
        width: int,
        channels: int,
        *,
        stride: int,
    ) -> None:
        super().__init__()
        if config["layer_type"] == "bottleneck":
            inner = channels // REDUCTION
            shapes = [(inner, width, 1), (inner, inner, 3), (channels, inner, 1)]
            strides = [stride, 1, 1] if config["downsample_in_bottleneck"] else [1, stride, 1]
        else:
            shapes, strides = [(channels, width, 3), (channels, channels, 3)], [stride, 1]
        self.convolutions = nn.ModuleList(
            _folded(tensors, f"{name}.layer.{number}", shape, stride=step)
            for number, (shape, step) in enumerate(zip(shapes, strides, strict=True))
        )
        projected = width != channels or stride != 1
        self.shortcut = _folded(tensors, f"{name}.shortcut", (channels, width, 1), stride=stride) if projected else None

    def forward(self, images: Tensor) -> Tensor:
        """Compute the output `[B, channels, h, w]`."""
        *inner, last = self.convolutions
        hidden = images
        for convolution in inner:
            hidden = convolution(hidden).relu_()
        hidden = last(hidden)
        hidden += images if self.shortcut is None else self.shortcut(images)
        return hidden.relu_()


def _folded(tensors: dict[str, Tensor], name: str, shape: tuple[int, int, int], *, stride: int) -> nn.Conv2d:
    """Build a convolution with the BatchNorm that follows it, in float64; `shape` is (output, input, kernel)."""
    outputs, inputs, kernel = shape
    weight = tensors.pop(f"{name}.convolution.weight")
    norm = {
        key: tensors.pop(f"{name}.normalization.{key}") for key in ("weight", "bias", "running_mean", "running_var")
    }
    if weight.shape != (outputs, inputs, kernel, kernel) or {part.shape for part in norm.values()} != {(outputs,)}:
        raise ValueError(f"{name}: unexpected shape {tuple(weight.shape)}")
    known = {key: part.double() for key, part in norm.items()}
    scale = known["weight"] / (known["running_var"] + EPSILON).sqrt()
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, device="meta")
    convolution.weight = nn.Parameter((weight.double() * scale[:, None, None, None]).float())
    convolution.bias = nn.Parameter((known["bias"] - known["running_mean"] * scale).float())
    return convolution


def frozen_resnet(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> FrozenResNet | None:
    """Build a ResNet from the configuration and the tensors of transformers.

    Returns `None` if they are not exactly those of a ResNet with ReLU: transformers loads other models, and explains
    what is missing.
    """
    flags = {key: config.get(key, False) for key in FLAGS}
    if config.get("model_type") != "resnet" or config.get("hidden_act") != "relu":
        return None
    if config.get("layer_type") not in LAYER_TYPES or not all(isinstance(flag, bool) for flag in flags.values()):
        return None
    left = dict(tensors)
    try:
        network = FrozenResNet({**config, **flags}, left)
    except (KeyError, TypeError, ValueError):
        return None
    unused = all(name.startswith("classifier.") or name.endswith("num_batches_tracked") for name in left)
    return network if unused else None


def read_frozen_resnet(folder: Path) -> FrozenResNet | None:
    """Read a ResNet from a folder with a model of transformers; `None` as in `frozen_resnet`."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if config.get("model_type") != "resnet":
            return None
        return frozen_resnet(config, load_file(folder / "model.safetensors"))
    except (AttributeError, OSError, ValueError, SafetensorError):
        return None

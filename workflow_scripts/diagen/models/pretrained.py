"""Weights in single files: read as tensors and nothing else, and torchvision's ResNets as those of transformers."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diagen.errors import InputError

if TYPE_CHECKING:  # transformers' models take seconds to import, and most programs read no such file
    from transformers import ResNetConfig, ResNetForImageClassification

LAYER = re.compile(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.")
SHORTCUT = re.compile(r"layer(\d)\.(\d+)\.downsample\.(\d)\.")
PART = {"conv": "convolution", "bn": "normalization"}


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of one that `torch.save` wrote, on the CPU, by name.

    The latter is read as weights only: a file that would run code is refused. Raises `InputError` when the file isn't
    there, is broken, or holds anything but tensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; it should hold a model's weights")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: is no file of weights alone, or is broken ({_first_line(error)})") from None
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{path}: holds more than tensors by name; save the model's `state_dict()` alone")
    return dict(tensors)


def read_torchvision_resnet(path: Path) -> ResNetForImageClassification:
    """A ResNet (18 to 152) whose weights have torchvision's names, in evaluation mode, float32.

    The network is torchvision's version 1.5, where the 3x3 convolution of a bottleneck has the stride. timm's ResNets
    have the same names. Raises `InputError` when the tensors are not those of such a network.
    """
    from transformers import ResNetForImageClassification

    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in read_checkpoint(path).items()
    }
    try:
        model = ResNetForImageClassification(_resnet_config(tensors))
        renamed = {transformers_name(name): tensor for name, tensor in tensors.items()}
        missing, unexpected = model.load_state_dict(renamed, strict=False)
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: is no ResNet with torchvision's names ({_first_line(error)})") from None
    # Counts of training batches: older files lack them, and evaluation doesn't read them.
    wrong = [*(name for name in missing if not name.endswith("num_batches_tracked")), *unexpected]
    if wrong:
        raise InputError(
            f"{path}: is no ResNet with torchvision's names (lacks or has too much: {', '.join(wrong[:5])})"
        )
    return model.eval()


def transformers_name(name: str) -> str:
    """The name that transformers' `ResNetForImageClassification` has for a tensor of torchvision's ResNet."""
    if found := LAYER.match(name):
        stage, block, kind, number = found.groups()
        middle = f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}.layer.{int(number) - 1}.{PART[kind]}."
    elif found := SHORTCUT.match(name):
        stage, block, number = found.groups()
        part = PART["conv"] if number == "0" else PART["bn"]
        middle = f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}.shortcut.{part}."
    elif found := re.match(r"(conv|bn)1\.", name):
        middle = f"resnet.embedder.embedder.{PART[found[1]]}."
    elif found := re.match(r"fc\.", name):
        middle = "classifier.1."
    else:
        raise ValueError(f"unknown tensor `{name}`")
    return middle + name[found.end() :]


def _resnet_config(tensors: Mapping[str, Tensor]) -> ResNetConfig:
    """The shape of the network, read off its tensors."""
    from transformers import ResNetConfig

    blocks = [
        len({name.split(".")[1] for name in tensors if name.startswith(f"layer{stage}.")}) for stage in range(1, 5)
    ]
    last = "conv3" if "layer1.0.conv3.weight" in tensors else "conv2"
    return ResNetConfig(
        embedding_size=len(tensors["conv1.weight"]),
        hidden_sizes=[len(tensors[f"layer{stage}.0.{last}.weight"]) for stage in range(1, 5)],
        depths=blocks,
        layer_type="bottleneck" if last == "conv3" else "basic",
        downsample_in_first_stage=False,
        downsample_in_bottleneck=False,
        num_labels=len(tensors["fc.weight"]),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

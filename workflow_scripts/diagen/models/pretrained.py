"""Weights in single files: read as tensors only; torchvision's ResNets are converted to those of transformers."""

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

from diagen.errors import InputError, summary

if TYPE_CHECKING:  # transformers' models take seconds to import, and most programs read no such file
    from transformers import ResNetConfig, ResNetForImageClassification

LAYER = re.compile(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.")
SHORTCUT = re.compile(r"layer(\d)\.(\d+)\.downsample\.(\d)\.")
PART = {"conv": "convolution", "bn": "normalization"}


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors` file, or of a file from `torch.save`, on the CPU, by name.

    A `torch.save` file is read with `weights_only`, which rejects files that run code. Raises `InputError` when the
    file is missing, is damaged, or contains anything except tensors.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file. Put the model's weights there, or correct `weights` or `file` in `models`"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{path}: not a file of weights only, or damaged ({summary(error)}). Restore it, or convert the "
            "weights to safetensors"
        ) from None
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{path}: contains more than named tensors. Save only the model's `state_dict()`")
    return dict(tensors)


def read_torchvision_resnet(path: Path) -> ResNetForImageClassification:
    """Read a ResNet (18 to 152) whose weights have torchvision's names; float32, in evaluation mode.

    The network is torchvision's version 1.5, in which the 3x3 convolution of a bottleneck has the stride. timm's
    ResNets use the same names. Raises `InputError` when the tensors are not those of such a network.
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
        raise InputError(
            f"{path}: not a ResNet with torchvision's tensor names ({summary(error)}). Name such a file in "
            "`models.backbone`, or a folder with a model of transformers"
        ) from None
    # Older files have no counts of training batches, and evaluation does not use them.
    wrong = [*(name for name in missing if not name.endswith("num_batches_tracked")), *unexpected]
    if wrong:
        raise InputError(
            f"{path}: not a ResNet with torchvision's tensor names (missing or unexpected: {', '.join(wrong[:5])}). "
            "Name such a file in `models.backbone`, or a folder with a model of transformers"
        )
    return model.eval()


def transformers_name(name: str) -> str:
    """Translate the name of a tensor in torchvision's ResNet to transformers' `ResNetForImageClassification`.

    Raises `ValueError` for an unknown name.
    """
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
    """Derive the configuration of the network from its tensors. Raises `KeyError` when one is missing."""
    from transformers import ResNetConfig

    blocks = [
        len({name.split(".")[1] for name in tensors if name.startswith(f"layer{stage}.")}) for stage in range(1, 5)
    ]
    last = "conv3" if "layer1.0.conv3.weight" in tensors else "conv2"
    return ResNetConfig(  # type: ignore[call-arg]  # its base class accepts `num_labels`
        embedding_size=len(tensors["conv1.weight"]),
        hidden_sizes=[len(tensors[f"layer{stage}.0.{last}.weight"]) for stage in range(1, 5)],
        depths=blocks,
        layer_type="bottleneck" if last == "conv3" else "basic",
        downsample_in_first_stage=False,
        downsample_in_bottleneck=False,
        num_labels=len(tensors["fc.weight"]),
    )

"""Pretrained image models, frozen: the classifier's backbone and the feature extractor."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError
from diagen.progress import progress

Item = TypeVar("Item")


class Backbone(nn.Module):
    """The layers of an image classifier up to its pooled features; the last linear layer is left out."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Pooled features `[B, D]` of images `[B, 3, H, W]`, normalised as the classifier expects them."""
        return self.body(images).pooler_output.flatten(1)


def freeze(model: nn.Module, device: torch.device) -> nn.Module:
    """Move to `device`, stop gradients, and set evaluation mode.

    In evaluation mode BatchNorm uses its running statistics and leaves them as they are; the code published with the
    paper runs it in training mode, so that each batch's statistics decide and the running ones are overwritten.
    """
    return model.requires_grad_(False).eval().to(device)


def load_backbone(source: BackboneModel, device: torch.device) -> Backbone:
    """The frozen backbone of a transformers image classifier with float32 weights, read from safetensors only.

    Raises `InputError` when the files are not there or the model has no pooled features.
    """
    from transformers import AutoModelForImageClassification

    name = source.path or source.repository
    try:
        model = AutoModelForImageClassification.from_pretrained(
            name, revision=source.revision or "main", use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise InputError(f"models.backbone: {name} can't be loaded as an image classifier: {error}") from error
    backbone = freeze(Backbone(model.base_model), device).to(memory_format=torch.channels_last)  # a quarter faster
    with torch.no_grad():
        if getattr(model.base_model(torch.zeros(1, 3, 64, 64, device=device)), "pooler_output", None) is None:
            raise InputError(f"models.backbone: {name} has no pooled features; use a convolutional network like ResNet")
    return backbone


def load_feature_extractor(source: FeatureModel, device: torch.device) -> nn.Module:
    """The frozen feature extractor of a torch.hub repository with DINOv2's interface: `[B, 3, H, W]` to `[B, D]`.

    The code that runs is that of the repository named in the configuration: the folder `path`, or the GitHub
    `repository` at the commit `revision`. Raises `InputError` when it can't be loaded.
    """
    local = source.path is not None
    if local and not (Path(source.path) / "hubconf.py").is_file():
        raise InputError(f"models.features.path: {source.path} holds no hubconf.py; give a torch.hub repository")
    try:
        model = torch.hub.load(
            source.path if local else f"{source.repository}:{source.revision}",
            source.entry_point,
            source="local" if local else "github",
            trust_repo=True,
            verbose=False,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"models.features: entry point `{source.entry_point}` can't be loaded: {error}") from error
    return freeze(model, device)


def embed(
    model: nn.Module,
    items: Sequence[Item],
    prepare: Callable[[Sequence[Item]], Tensor],
    *,
    micro_batch: int,
    device: torch.device,
    label: str | None = None,
) -> Tensor:
    """Features `[n, D]`, float32 on the CPU, of `items`, which `prepare` turns into batches `[B, 3, H, W]`.

    Every batch has `micro_batch` images, the last one is filled up with its last image: torch rounds differently for
    another batch size, so that one fixed shape gives an image the same features wherever in a set it stands. With a
    `label` the progress is told. Raises `ValueError` without items.
    """
    if not items:
        raise ValueError("no images to embed")
    starts = range(0, len(items), micro_batch)
    batches = progress(starts, total=len(starts), label=label, unit="batches") if label else starts
    features = []
    with torch.no_grad():
        for start in batches:
            batch = items[start : start + micro_batch]
            images = prepare(batch)
            images = torch.cat([images, images[-1:].expand(micro_batch - len(batch), -1, -1, -1)])
            features.append(model(images.to(device, memory_format=torch.channels_last))[: len(batch)].float().cpu())
    return torch.cat(features)

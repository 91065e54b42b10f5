"""Pretrained image models, frozen: the classifier's backbone and the feature extractor."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError
from diagen.models.pretrained import read_checkpoint, read_torchvision_resnet
from diagen.runtime.gpu_memory import explain_full_memory, halve_when_full
from diagen.runtime.progress import progress

Item = TypeVar("Item")


class Backbone(nn.Module):
    """An image classifier of transformers without its last linear layer: it gives what that layer would see."""

    def __init__(self, classifier: nn.Module) -> None:
        """Take the last linear layer out of `classifier`. Raises `ValueError` unless it has exactly one such head."""
        super().__init__()
        inside = f"{classifier.base_model_prefix}."
        heads = [
            name
            for name, module in classifier.named_modules()
            if isinstance(module, nn.Linear) and not name.startswith(inside)
        ]
        if len(heads) != 1:
            raise ValueError(f"it has {len(heads)} linear layers after its body ({', '.join(heads)}) instead of one")
        classifier.set_submodule(heads[0], nn.Identity())
        self.body = classifier
        # Vision transformers then take images of another size than they were trained on.
        takes_any_size = "interpolate_pos_encoding" in inspect.signature(classifier.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if takes_any_size else {}

    def forward(self, images: Tensor) -> Tensor:
        """Features `[B, D]` of images `[B, 3, H, W]`, normalized as the classifier expects them."""
        return self.body(images, **self.options).logits


def freeze(model: nn.Module, device: torch.device) -> nn.Module:
    """Move to `device`, stop gradients, and set evaluation mode.

    In evaluation mode BatchNorm uses its running statistics and leaves them as they are; the code published with the
    paper runs it in training mode, so that each batch's statistics decide and the running ones are overwritten.
    """
    with explain_full_memory("the image model"):
        return model.requires_grad_(False).eval().to(device)


def load_backbone(source: BackboneModel, device: torch.device) -> Backbone:
    """The frozen backbone of an image classifier with float32 weights.

    A folder holds a model of transformers with safetensors weights (ResNet, ViT, DeiT, Swin, ConvNeXt, ...), a file the
    weights of a ResNet under torchvision's names. Raises `InputError` when it isn't there or can't be loaded.
    """
    location = source.location
    if location.is_file():
        classifier = read_torchvision_resnet(location)
    else:
        classifier = _load_classifier(location)
    try:
        backbone = Backbone(classifier)
    except ValueError as error:
        raise InputError(
            f"models.backbone: {location} can't serve as a backbone: {error}; take another model"
        ) from None
    return freeze(backbone, device).to(memory_format=torch.channels_last)  # a quarter faster


def _load_classifier(folder: Path) -> nn.Module:
    from transformers import AutoModelForImageClassification

    try:
        return AutoModelForImageClassification.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, local_files_only=True, trust_remote_code=False
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise InputError(f"models.backbone: {folder} can't be loaded as an image classifier: {error}") from error


def load_feature_extractor(source: FeatureModel, device: torch.device) -> nn.Module:
    """The frozen feature extractor of a torch.hub repository with DINOv2's interface: `[B, 3, H, W]` to `[B, D]`.

    The code that runs is that in the model's folder. `weights` are read by us, as tensors alone; where none are named,
    the entry point reads its own from the folder, and is kept from fetching any. Raises `InputError` when the model
    can't be loaded.
    """
    folder = source.location
    if not (folder / "hubconf.py").is_file():
        raise InputError(f"models.features: {folder} holds no hubconf.py; it must be a torch.hub repository")
    options = {"pretrained": False} if source.weights_file else {}
    try:
        with _no_downloads():
            model = torch.hub.load(
                str(folder), source.entry_point, source="local", trust_repo=True, verbose=False, **options
            )
        if source.weights_file:
            model.load_state_dict(read_checkpoint(source.weights_file))
    except (EOFError, ImportError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise InputError(f"models.features: entry point `{source.entry_point}` can't be loaded: {error}") from error
    return freeze(model, device)


@contextmanager
def _no_downloads() -> Iterator[None]:
    """Weights that an entry point would fetch are refused: nobody has checked them, and they are unpickled."""

    def refuse(url: str, *_: Any, **__: Any) -> NoReturn:
        raise InputError(f"models.features: the entry point wants to fetch {url}; name the file as `weights`")

    fetch, torch.hub.load_state_dict_from_url = torch.hub.load_state_dict_from_url, refuse
    try:
        yield
    finally:
        torch.hub.load_state_dict_from_url = fetch


def embed(
    model: nn.Module,
    items: Sequence[Item],
    prepare: Callable[[Sequence[Item]], Tensor],
    *,
    micro_batch: int,
    device: torch.device,
    progress_label: str | None = None,
    halve: bool = True,
) -> Tensor:
    """Features `[n, D]`, float32 on the CPU, of `items`, which `prepare` turns into batches `[B, 3, H, W]`.

    Every batch has `micro_batch` images, the last one is filled up with its last image: torch rounds differently for
    another batch size, so that one fixed shape gives an image the same features wherever in a set it stands. With a
    `progress_label` the progress is told. A micro-batch that the GPU has no room for is halved, for all items, unless `halve` is
    false: then each batch decides its own features. Raises `ValueError` without items.
    """
    if not items:
        raise ValueError("no images to embed")

    def work(size: int) -> Tensor:
        return _embed(model, items, prepare, size, device, progress_label)

    return halve_when_full(micro_batch, work) if halve else work(micro_batch)


@torch.no_grad()
def _embed(
    model: nn.Module,
    items: Sequence[Item],
    prepare: Callable[[Sequence[Item]], Tensor],
    micro_batch: int,
    device: torch.device,
    progress_label: str | None,
) -> Tensor:
    starts = range(0, len(items), micro_batch)
    batches = (
        progress(starts, total=len(starts), progress_label=progress_label, unit="batches") if progress_label else starts
    )
    features = []
    for start in batches:
        batch = items[start : start + micro_batch]
        images = prepare(batch)
        images = torch.cat([images, images[-1:].expand(micro_batch - len(batch), -1, -1, -1)])
        features.append(model(images.to(device, memory_format=torch.channels_last))[: len(batch)].float().cpu())
    return torch.cat(features)

"""Frozen pretrained image models: the classifiers' backbone and the feature extractor."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import torch
from torch import Tensor, nn

from diagen.config.choices import BatchNormMode
from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError
from diagen.files.model_parts import (
    LOADING_ERRORS,
    conversion_remedy,
    explain_loading,
    image_size_problem,
    weight_problems,
)
from diagen.models.classifier_body import Backbone, ClassifierBody, bodies_of, heads_of
from diagen.models.frozen_resnet import FrozenResNet, frozen_resnet, read_frozen_resnet
from diagen.models.pretrained import read_checkpoint, read_torchvision_resnet
from diagen.runtime.gpu_memory import explain_full_memory, halve_when_full
from diagen.runtime.progress import progress

Item = TypeVar("Item")
Network = TypeVar("Network", bound=nn.Module)


def freeze(model: Network, device: torch.device) -> Network:
    """Move `model` to `device`, disable gradients and set evaluation mode.

    In evaluation mode BatchNorm uses its running statistics and does not update them. The code published with the
    paper runs BatchNorm in training mode, which uses the statistics of each batch and overwrites the running ones.
    """
    with explain_full_memory("the image model"):
        return model.requires_grad_(False).eval().to(device)


def load_backbone(source: BackboneModel, device: torch.device, *, batch_norm: BatchNormMode = "frozen") -> Backbone:
    """Load the frozen backbone of an image classifier, with float32 weights.

    A folder holds a model of transformers with safetensors weights (ResNet, ViT, DeiT, Swin, ConvNeXt, ...); a file
    holds the weights of a ResNet under torchvision's names. With `batch_norm: frozen`, the BatchNorm layers of a ResNet
    are folded into its convolutions; `training` keeps them, for statistics that training updates or a head holds.
    Raises `InputError` when the model is missing or cannot be loaded.
    """
    location = source.location
    backbone: Backbone | None = _frozen_resnet(location) if batch_norm == "frozen" else None
    if backbone is None:
        classifier = read_torchvision_resnet(location) if location.is_file() else _load_classifier(location)
        try:
            backbone = ClassifierBody(classifier)
        except ValueError as error:
            raise InputError(
                f"models.backbone: {location} has {error}. Name another image classifier in `models.backbone`"
            ) from None
    return freeze(backbone, device).to(memory_format=memory_format(device))  # type: ignore[call-overload]


def _frozen_resnet(location: Path) -> FrozenResNet | None:
    if location.is_file():
        classifier = read_torchvision_resnet(location)
        return frozen_resnet(classifier.config.to_dict(), classifier.state_dict())
    return read_frozen_resnet(location)


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the faster layout of images and kernels in float32: a quarter faster on a CPU, 16 % on an H200."""
    return torch.contiguous_format if device.type == "cuda" else torch.channels_last


def _load_classifier(folder: Path) -> nn.Module:
    from transformers import AutoModelForImageClassification

    try:
        classifier, info = AutoModelForImageClassification.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported with the other weights
        )
    except LOADING_ERRORS as error:
        raise explain_loading(
            f"models.backbone: {folder} cannot be loaded as an image classifier",
            error,
            conversion_remedy(folder) or "Restore its files, or name another model",
        ) from error
    bodies = bodies_of(classifier)
    mask_tokens = tuple(f"{body}embeddings.mask_token" for body in bodies)
    # Weights outside the body are heads of other tasks, and pretraining leaves a pooler and a mask token in it. Older
    # files also have buffers that are computed now.
    buffers = {name for name, _ in classifier.named_buffers()}
    unexpected = [name for name in info["unexpected_keys"] if name.startswith(bodies) and name not in buffers]
    problems = [
        *weight_problems(
            "its folder",
            {**info, "unexpected_keys": unexpected},
            may_lack=(*(f"{name}." for name in heads_of(classifier)), *mask_tokens),
            may_have=(*(f"{body}pooler." for body in bodies), *mask_tokens),
        )
    ]
    if problems:
        raise InputError(
            f"models.backbone: {folder} is no complete image classifier: {'; '.join(problems)}. Restore its files, or "
            "name another model"
        )
    return classifier


def load_feature_extractor(source: FeatureModel, device: torch.device) -> nn.Module:
    """Load the frozen feature extractor of a torch.hub repository with DINOv2's interface: `[B, 3, H, W]` to `[B, D]`.

    The code in the model's folder runs. Named `weights` are read by this library, as tensors only. Without them the
    entry point reads its own from the folder; downloads are blocked. Raises `InputError` when the model cannot be
    loaded.
    """
    folder = source.location
    if not (folder / "hubconf.py").is_file():
        raise InputError(
            f"models.features: {folder} has no hubconf.py, so it is no torch.hub repository. Correct `path`, or "
            "restore its files"
        )
    options = {"pretrained": False} if source.weights_file else {}
    try:
        with _no_downloads():
            model = torch.hub.load(
                str(folder), source.entry_point, source="local", trust_repo=True, verbose=False, **options
            )
        if not isinstance(model, nn.Module):
            raise TypeError(f"it returns {type(model).__name__} instead of a module of torch")
        if source.weights_file:
            model.load_state_dict(read_checkpoint(source.weights_file))
    except LOADING_ERRORS as error:
        raise explain_loading(
            f"models.features: entry point `{source.entry_point}` cannot be loaded",
            error,
            f"Correct `entry_point` or `weights`, or restore the files in {folder}",
        ) from error
    if problem := image_size_problem(source.image_size, _patch_size(model)):
        raise InputError(f"models.features: {problem}")
    return freeze(model, device)


def _patch_size(model: nn.Module) -> int:
    """Return the edge in pixels of which image sizes must be a multiple: DINOv2's `patch_size`; 1 without one."""
    patch = getattr(model, "patch_size", 1)
    return patch if isinstance(patch, int) else 1


@contextmanager
def _no_downloads() -> Iterator[None]:
    """Block the downloads of an entry point: their weights are not verified, and they are unpickled."""

    def refuse(url: str, *_: object, **__: object) -> NoReturn:
        raise InputError(
            f"models.features: the entry point tries to download {url}. Name this file in `models.features.weights`"
        )

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
    """Compute features `[n, D]` (float32, CPU) of `items`, which `prepare` turns into batches `[B, 3, H, W]`.

    Every batch has `micro_batch` images; a short last batch repeats its last image. torch rounds differently for
    another batch size, so with one fixed shape the features of an image do not depend on its place in `items`.
    `progress_label` turns on progress reports. If the GPU runs out of memory, the micro-batch is halved for all items,
    unless `halve` is false: then the images of a batch decide each other's features. Raises `ValueError` without items.
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
        if device.type == "cuda" and not images.is_cuda:
            images = images.pin_memory()
        images = images.to(device, memory_format=memory_format(device), non_blocking=True)
        # A copy to the CPU would wait for the GPU, which computes while the next batch is prepared.
        features.append(model(images)[: len(batch)].float())
    return torch.cat(features).cpu()


def require_finite(features: Tensor, paths: Sequence[str | Path], model: str) -> Tensor:
    """Return `features` `[n, D]` of the image files `paths`; `model` is that of the configuration which computed them.

    Raises `InputError` when one is not finite.
    """
    invalid = (~features.isfinite().all(1)).nonzero()[:, 0].tolist()
    if invalid:
        others = f" and {len(invalid) - 1} more" if len(invalid) > 1 else ""
        raise InputError(
            f"{paths[invalid[0]]}{others}: the features are not finite although the pixels are, so the weights of "
            f"`models.{model}` are damaged or their data type is too small. Use other weights"
        )
    return features

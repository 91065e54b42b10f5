"""The parts of the library that `gpu_check` uses, with models, images and plans to run them on.

All imports of the library are here. The small models are the trained ones of the demo; the full-size ones have the
architecture of Stable Diffusion v1-4 and random weights, and are created on the device without a file.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTokenizer

from bench import architectures
from demo.training.architectures import MODELS, write_clip_merges
from demo.training.text_to_image import new_scheduler
from demo.world.draw_dataset import draw_photos
from diagen.classifiers import views
from diagen.classifiers.augmentation import AUGMENTATIONS, plain
from diagen.classifiers.linear_probe import Trained, train_head
from diagen.classifiers.recipe import Recipe
from diagen.config import DiffusionModel, Embedding
from diagen.config.models import BackboneModel, FeatureModel
from diagen.config.programs import GenerateImagesSettings
from diagen.diversity.features import image_features
from diagen.embeddings.inversion import (
    ClassImages,
    add_gradients,
    encode_classes,
    learn_words,
    recomputed_activations,
)
from diagen.embeddings.words_file import read_learned_words
from diagen.errors import InputError
from diagen.generation.fill import generate, manifest_of
from diagen.generation.img2img import Posterior, Word, generate_batch
from diagen.generation.plan_file import PlanRow
from diagen.models.backbones import embed, freeze, load_backbone, load_feature_extractor, memory_format
from diagen.models.classifier_body import Backbone
from diagen.models.diffusion import Diffusion, encode_posteriors, load_diffusion, word_vectors
from diagen.models.frozen_resnet import frozen_resnet
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.arguments import positive
from diagen.runtime.execution import compiled as compile_network
from diagen.runtime.execution import prepare_torch
from diagen.runtime.gpu_memory import is_full
from diagen.runtime.memory_plan import Passes, card_gb, passes_gb, plan_passes

__all__ = [
    "AUGMENTATIONS",
    "Backbone",
    "ClassImages",
    "Diffusion",
    "Embedding",
    "GenerateImagesSettings",
    "InputError",
    "Passes",
    "PlanRow",
    "Recipe",
    "Trained",
    "card_gb",
    "compile_network",
    "embed",
    "encode_classes",
    "plain",
    "freeze",
    "generate",
    "generate_batch",
    "image_features",
    "is_full",
    "learn_words",
    "manifest_of",
    "passes_gb",
    "plan_passes",
    "positive",
    "prepare_torch",
    "read_learned_words",
    "recomputed_activations",
    "train_head",
    "views",
    "word_vectors",
]

CLASSES = ("coffee mug", "house", "pine tree", "car", "sail boat", "fish")
WORLD_SEED = 7  # of the drawn photos
SMALL = 64  # edge of the demo's images in pixels
FULL = 512


@dataclasses.dataclass(frozen=True)
class Setup:
    """Environment of the steps: device, whether only tiny models are used, a folder for temporary files, CPU threads.

    `recording` is the folder that bench/record_demo.py wrote, if there is one.
    """

    device: torch.device
    small: bool
    folder: Path
    threads: int
    recording: Path | None = None

    @property
    def cuda(self) -> bool:
        """Return whether the device is a CUDA GPU."""
        return self.device.type == "cuda"


def demo_diffusion(device: torch.device, dtype: str = "float32") -> Diffusion:
    """Load the demo's trained Stable Diffusion."""
    return load_diffusion(demo_model(dtype), device)


def demo_model(dtype: str = "float32") -> DiffusionModel:
    """Return the settings of the demo's Stable Diffusion."""
    return DiffusionModel(path=str(MODELS / "stable_diffusion"), dtype=dtype, image_size=SMALL)


def demo_backbone(device: torch.device) -> Backbone:
    """Load the demo's trained ResNet."""
    return load_backbone(BackboneModel(path=str(MODELS / "resnet")), device)


def demo_extractor(device: torch.device) -> nn.Module:
    """Load the demo's trained DINOv2."""
    source = FeatureModel(path=str(MODELS / "dinov2"), entry_point="dinov2_demo", image_size=SMALL)
    return load_feature_extractor(source, device)


def large_diffusion(setup: Setup, dtype: str) -> Diffusion:
    """Create Stable Diffusion v1-4 with random weights, laid out as in `load_diffusion`; if `small`, the demo's."""
    if setup.small:
        return demo_diffusion(setup.device, dtype)
    folder = setup.folder / "tokenizer"
    if not folder.is_dir():
        write_clip_merges(folder, architectures.clip_merges(), architectures.TEXT_LENGTH)
    kind = getattr(torch, dtype)
    with torch.device(setup.device):
        new = (architectures.new_autoencoder, architectures.new_unet, architectures.new_text_encoder)
        parts = [make().to(kind).eval().requires_grad_(False) for make in new]
    if not setup.cuda:
        for part in parts[:2]:
            part.to(memory_format=torch.channels_last)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    return Diffusion(*parts, tokenizer, new_scheduler(), FULL, setup.device, kind)


class ClassToken(nn.Module):
    """Interface of DINOv2: images `[B, 3, H, W]` to the class token `[B, D]` after the last norm."""

    def __init__(self, body: nn.Module) -> None:
        """Wrap a network of transformers."""
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Compute features `[B, D]`."""
        return self.body(pixel_values=images).last_hidden_state[:, 0]


def large_extractor(setup: Setup) -> nn.Module:
    """Create DINOv2 ViT-L/14 with random float32 weights; if `small`, load the demo's."""
    if setup.small:
        return demo_extractor(setup.device)
    with torch.device(setup.device):
        return freeze(ClassToken(architectures.new_dinov2()), setup.device)


def large_backbone(setup: Setup) -> Backbone:
    """Create ResNet-50 with random float32 weights, laid out as in `load_backbone`; if `small`, load the demo's."""
    if setup.small:
        return demo_backbone(setup.device)
    network = architectures.new_resnet()
    backbone = frozen_resnet(network.config.to_dict(), network.state_dict())
    assert backbone is not None
    return freeze(backbone, setup.device).to(memory_format=memory_format(setup.device))


def encoded_classes(diffusion: Diffusion, count: int) -> list[ClassImages]:
    """Encode `count` classes with four guide images each; beyond the demo's classes, these repeat under other names."""
    guides = draw_photos(WORLD_SEED, list(CLASSES), "train-val", 4)
    photos = dict(list(guides.items())[:count])
    found = encode_classes(diffusion, photos, ("gpu_check", 0, 4), crop="squash", micro_batch=8)
    encoded = {item.class_name: item for item in found}
    names = [f"{CLASSES[number % len(CLASSES)]}{' again' * (number // len(CLASSES))}" for number in range(count)]
    originals = [CLASSES[number % len(CLASSES)] for number in range(count)]
    return [
        dataclasses.replace(encoded[original], class_name=name) for name, original in zip(names, originals, strict=True)
    ]


def step_losses(
    diffusion: Diffusion, classes: list[ClassImages], words: Tensor, settings: Embedding, step: int
) -> Tensor:
    """Compute the losses [classes] of a step, with its backward pass; all rows in one pass."""
    words = words.detach().clone().requires_grad_(True)
    return add_gradients(diffusion, classes, words, settings, step, len(classes) * settings.batch)


def planned_rows(folder: Path, count: int) -> list[PlanRow]:
    """Plan `count` rows over guide images of all classes, and write the guide images into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    guides = []
    for name, images in draw_photos(WORLD_SEED, list(CLASSES), "train-val", 2).items():
        for number, image in enumerate(images):
            path = folder / f"{name} {number}.png"
            image.save(path)
            guides.append((name, number, str(path), hashlib.sha256(path.read_bytes()).hexdigest()))
    rows = []
    for number in range(count):
        name, guide, path, digest = guides[number % len(guides)]
        prompt = f"a photo of a {pseudo_word(name)} in the snow"
        rows.append(PlanRow(name, guide, path, digest, number, prompt, 0.005 * (number % 4), number, 1000 + number))
    return rows


def plain_words(diffusion: Diffusion) -> dict[str, Tensor]:
    """Return a word [1, width] for each class: the vector of `the` plus a small random offset."""
    start, generator = word_vectors(diffusion, "the")[:1], torch.Generator().manual_seed(5)
    return {name: start + 0.01 * torch.randn(start.shape, generator=generator) for name in CLASSES}


def guide_posteriors(diffusion: Diffusion, rows: Sequence[PlanRow], micro_batch: int) -> list[Posterior]:
    """Encode the guide image of each row."""
    paths = dict.fromkeys(row.guide_path for row in rows)
    images = []
    for path in paths:
        with Image.open(path) as image:
            square = image.convert("RGB").resize((diffusion.image_size,) * 2, Image.Resampling.BILINEAR)
        images.append(torch.from_numpy(np.asarray(square, np.float32) / 127.5 - 1).permute(2, 0, 1).contiguous())
    means, deviations = encode_posteriors(diffusion, images, list(paths), micro_batch)
    size = (diffusion.image_size,) * 2
    known = {
        path: Posterior(mean, deviation, size) for path, mean, deviation in zip(paths, means, deviations, strict=True)
    }
    return [known[row.guide_path] for row in rows]


def batch_of(rows: Sequence[PlanRow], words: dict[str, Tensor]) -> list[Word]:
    """Return the words of the rows, as for `generate_batch`."""
    return [Word(pseudo_word(row.class_name), words[row.class_name]) for row in rows]


def pixels(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    words: dict[str, Tensor],
    settings: GenerateImagesSettings,
    micro_batch: int,
) -> NDArray[np.uint8]:
    """Generate images `[n, S, S, 3]` of the rows; their number must be a multiple of `micro_batch`."""
    posteriors, spoken = guide_posteriors(diffusion, rows, micro_batch), batch_of(rows, words)
    images = []
    for start in range(0, len(rows), micro_batch):
        part = slice(start, start + micro_batch)
        images += generate_batch(diffusion, rows[part], posteriors[part], spoken[part], settings)
    return np.stack([np.asarray(image) for image in images])

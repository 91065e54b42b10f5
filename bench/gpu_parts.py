"""What `gpu_check` takes from the library, and the models, images and plans that it runs them on.

All imports of the library stand here. The small models are the demo's, trained; the full-size ones have the
architecture of Stable Diffusion v1-4 and random weights, and are built on the device without a file.
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
from demo.world.draw_dataset import dataset_scenes
from demo.world.scenes import draw
from diagen.classifiers.augmentation import plain
from diagen.classifiers.linear_probe import Trained, train_head
from diagen.classifiers.recipe import Recipe
from diagen.config import DiffusionModel, Embedding
from diagen.config.models import BackboneModel, FeatureModel
from diagen.config.programs import GenerateImagesSettings
from diagen.diversity.features import image_features
from diagen.embeddings.inversion import ClassImages, class_losses, encode_class, learn_words
from diagen.generation.fill import generate
from diagen.generation.img2img import Posterior, Word, generate_batch
from diagen.generation.plan_file import PlanRow
from diagen.models.backbones import Backbone, embed, freeze, load_backbone, load_feature_extractor
from diagen.models.diffusion import Diffusion, encode_posteriors, load_diffusion, word_vectors
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.execution import prepare_torch
from diagen.runtime.gpu_memory import is_full

__all__ = [
    "Backbone",
    "ClassImages",
    "Diffusion",
    "Embedding",
    "GenerateImagesSettings",
    "PlanRow",
    "Recipe",
    "Trained",
    "class_losses",
    "embed",
    "encode_class",
    "plain",
    "freeze",
    "generate",
    "generate_batch",
    "image_features",
    "is_full",
    "learn_words",
    "prepare_torch",
    "train_head",
    "word_vectors",
]

CLASSES = ("coffee mug", "house", "pine tree", "car", "sail boat", "fish")
SMALL = 64  # edge of the demo's images in pixels
FULL = 512


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where the steps run: the device, whether on tiny models alone, and a folder for files that nobody keeps."""

    device: torch.device
    small: bool
    folder: Path
    threads: int

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU of CUDA."""
        return self.device.type == "cuda"


def demo_diffusion(device: torch.device, dtype: str = "float32") -> Diffusion:
    """The demo's trained Stable Diffusion."""
    return load_diffusion(demo_model(dtype), device)


def demo_model(dtype: str = "float32") -> DiffusionModel:
    """Where the demo's Stable Diffusion lies."""
    return DiffusionModel(path=str(MODELS / "stable_diffusion"), dtype=dtype, image_size=SMALL)


def demo_backbone(device: torch.device) -> Backbone:
    """The demo's trained ResNet."""
    return load_backbone(BackboneModel(path=str(MODELS / "resnet")), device)


def demo_extractor(device: torch.device) -> nn.Module:
    """The demo's trained DINOv2."""
    source = FeatureModel(path=str(MODELS / "dinov2"), entry_point="dinov2_demo", image_size=SMALL)
    return load_feature_extractor(source, device)


def large_diffusion(setup: Setup, dtype: str, *, channels_last: bool = True) -> Diffusion:
    """Stable Diffusion v1-4 with random weights, laid out as `load_diffusion` does; with `small`, the demo's."""
    if setup.small:
        diffusion = demo_diffusion(setup.device, dtype)
    else:
        folder = setup.folder / "tokenizer"
        if not folder.is_dir():
            write_clip_merges(folder, architectures.clip_merges(), architectures.TEXT_LENGTH)
        kind = getattr(torch, dtype)
        with torch.device(setup.device):
            new = (architectures.new_autoencoder, architectures.new_unet, architectures.new_text_encoder)
            parts = [make().to(kind).eval().requires_grad_(False) for make in new]
        tokenizer = CLIPTokenizer.from_pretrained(folder)
        diffusion = Diffusion(*parts, tokenizer, new_scheduler(), FULL, setup.device, kind)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for part in (diffusion.vae, diffusion.unet):
        part.to(memory_format=layout)
    return diffusion


class ClassToken(nn.Module):
    """DINOv2's interface: images `[B, 3, H, W]` to the last norm's class token `[B, D]`."""

    def __init__(self, body: nn.Module) -> None:
        """Take the network of transformers."""
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Features `[B, D]`."""
        return self.body(pixel_values=images).last_hidden_state[:, 0]


def large_extractor(setup: Setup) -> nn.Module:
    """DINOv2 ViT-L/14 with random weights in float32; with `small`, the demo's."""
    if setup.small:
        return demo_extractor(setup.device)
    with torch.device(setup.device):
        return freeze(ClassToken(architectures.new_dinov2()), setup.device)


def large_backbone(setup: Setup) -> Backbone:
    """ResNet-50 with random weights in float32, laid out as `load_backbone` does; with `small`, the demo's."""
    if setup.small:
        return demo_backbone(setup.device)
    with torch.device(setup.device):
        backbone = Backbone(architectures.new_resnet())
    return freeze(backbone, setup.device).to(memory_format=torch.channels_last)


def photos(split: str, count: int, seed: int = 7) -> dict[str, list[Image.Image]]:
    """`count` drawn photos of each class out of a split of the demo's world."""
    drawn: dict[str, list[Image.Image]] = {}
    for _, _, scene in dataset_scenes(seed, list(CLASSES), {split: count}):
        drawn.setdefault(scene.class_name, []).append(draw(scene))
    return drawn


def encoded_classes(diffusion: Diffusion, count: int) -> list[ClassImages]:
    """`count` classes with four guide images each; beyond the demo's number, they repeat under other names."""
    guides = photos("train-val", 4)
    encoded = {
        name: encode_class(diffusion, name, ("gpu_check", 0, 4), images, crop="squash", micro_batch=8)
        for name, images in list(guides.items())[:count]
    }
    names = [f"{CLASSES[number % len(CLASSES)]}{' again' * (number // len(CLASSES))}" for number in range(count)]
    originals = [CLASSES[number % len(CLASSES)] for number in range(count)]
    return [
        dataclasses.replace(encoded[original], class_name=name) for name, original in zip(names, originals, strict=True)
    ]


def planned_rows(folder: Path, count: int) -> list[PlanRow]:
    """`count` rows of a plan over guide images of all classes, whose files are written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    guides = []
    for name, images in photos("train-val", 2).items():
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
    """A word [1, width] for each class: the vector of `the`, and a little of its own."""
    start, generator = word_vectors(diffusion, "the")[:1], torch.Generator().manual_seed(5)
    return {name: start + 0.01 * torch.randn(start.shape, generator=generator) for name in CLASSES}


def guide_posteriors(diffusion: Diffusion, rows: Sequence[PlanRow], micro_batch: int) -> list[Posterior]:
    """The posterior of each row's guide image."""
    paths = dict.fromkeys(row.guide_path for row in rows)
    images = []
    for path in paths:
        with Image.open(path) as image:
            square = image.convert("RGB").resize((diffusion.image_size,) * 2, Image.Resampling.BILINEAR)
        images.append(torch.from_numpy(np.asarray(square, np.float32) / 127.5 - 1).permute(2, 0, 1).contiguous())
    means, deviations = encode_posteriors(diffusion, images, micro_batch)
    size = (diffusion.image_size,) * 2
    known = {
        path: Posterior(mean, deviation, size) for path, mean, deviation in zip(paths, means, deviations, strict=True)
    }
    return [known[row.guide_path] for row in rows]


def batch_of(rows: Sequence[PlanRow], words: dict[str, Tensor]) -> list[Word]:
    """The words of the rows, as `generate_batch` takes them."""
    return [Word(pseudo_word(row.class_name), words[row.class_name]) for row in rows]


def pixels(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    words: dict[str, Tensor],
    settings: GenerateImagesSettings,
    micro_batch: int,
) -> NDArray[np.uint8]:
    """The generated images `[n, S, S, 3]` of the rows, whose number is a multiple of `micro_batch`."""
    posteriors, spoken = guide_posteriors(diffusion, rows, micro_batch), batch_of(rows, words)
    images = []
    for start in range(0, len(rows), micro_batch):
        part = slice(start, start + micro_batch)
        images += generate_batch(diffusion, rows[part], posteriors[part], spoken[part], settings)
    return np.stack([np.asarray(image) for image in images])

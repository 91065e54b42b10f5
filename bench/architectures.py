"""The paper's models at their real sizes, untrained, and files of them in the real formats."""

import argparse
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionImg2ImgPipeline, UNet2DConditionModel
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    ResNetConfig,
    ResNetForImageClassification,
)

from demo.training.architectures import write_checksums, write_clip_merges
from demo.training.text_to_image import new_scheduler

TOKENS = 49_408  # size of CLIP's vocabulary
TEXT_LENGTH = 77
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def new_unet() -> UNet2DConditionModel:
    """The UNet of Stable Diffusion v1-4, for latents of 64 x 64."""
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )


def new_autoencoder() -> AutoencoderKL:
    """The VAE of Stable Diffusion v1-4, for images of 512 x 512."""
    return AutoencoderKL(
        sample_size=512,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )


def new_text_encoder() -> CLIPTextModel:
    """The text encoder of CLIP ViT-L/14, which Stable Diffusion v1-4 uses."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=TOKENS,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=TEXT_LENGTH,
            hidden_act="quick_gelu",
            bos_token_id=TOKENS - 2,
            eos_token_id=TOKENS - 1,
            pad_token_id=TOKENS - 1,
        )
    )


def new_dinov2(width: int = 1024, layers: int = 24, heads: int = 16) -> Dinov2Model:
    """DINOv2, by default ViT-L/14, with position embeddings for 518 pixels."""
    return Dinov2Model(
        Dinov2Config(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, image_size=518, patch_size=14
        )
    )


def new_resnet() -> ResNetForImageClassification:
    """ResNet-50 with ImageNet's 1000 classes."""
    return ResNetForImageClassification(ResNetConfig(num_labels=1000))


# Name of each part, its published number of parameters, and its constructor.
PARTS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "UNet": (859_520_964, new_unet),
    "VAE": (83_653_863, new_autoencoder),
    "text encoder": (123_060_480, new_text_encoder),
    "DINOv2 ViT-L/14": (304_368_640, new_dinov2),
    "ResNet-50": (25_557_032, new_resnet),
}


def make(part: str) -> nn.Module:
    """Create an untrained part. Raises `ValueError` unless it has the published number of parameters."""
    expected, new = PARTS[part]
    model = new()
    count = sum(parameter.numel() for parameter in model.parameters())
    if count != expected:
        raise ValueError(f"{part} has {count:,} parameters, but the published model has {expected:,}")
    return model


def clip_merges() -> list[tuple[str, str]]:
    """Return merges that yield CLIP's 49,408 tokens: all words of two and three letters, and some of four."""
    pairs = ["".join(letters) for letters in itertools.product(LETTERS, repeat=2)]
    triples = ["".join(letters) for letters in itertools.product(LETTERS, repeat=3)]
    merges = itertools.chain(
        ((pair[0], pair[1]) for pair in pairs),
        ((pair[0], pair[1] + "</w>") for pair in pairs),
        ((triple[:2], triple[2]) for triple in triples),
        ((triple[:2], triple[2] + "</w>") for triple in triples),
        ((triple, letter + "</w>") for triple in triples for letter in LETTERS),
    )
    return list(itertools.islice(merges, TOKENS - 2 * 256 - 2))


def write_stable_diffusion(folder: Path) -> None:
    """Write Stable Diffusion v1-4 in the layout of diffusers, with random float16 weights."""
    write_clip_merges(folder / "tokenizer", clip_merges(), TEXT_LENGTH)
    pipeline = StableDiffusionImg2ImgPipeline(
        vae=make("VAE").half(),
        text_encoder=make("text encoder").half(),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=make("UNet").half(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    # One source of the vocabulary: this file, which transformers prefers, duplicates it.
    (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)


def write_dinov2(folder: Path, model: Dinov2Model) -> None:
    """Write a torch.hub repository with the entry point `dinov2_vitl14` and float16 weights."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dinov2_hubconf.py"), folder / "hubconf.py")
    model.half().save_pretrained(folder)


def write_models(folder: Path, seed: int = 0) -> None:
    """Write `stable_diffusion/`, `dinov2/`, `resnet/` and, last, `SHA256SUMS` into `folder`: some 2.8 GB."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write_stable_diffusion(folder / "stable_diffusion")
        write_dinov2(folder / "dinov2", make("DINOv2 ViT-L/14"))
        make("ResNet-50").half().save_pretrained(folder / "resnet")
    write_checksums(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write the models into")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights (default: %(default)s)")
    arguments = parser.parse_args()
    write_models(arguments.output, arguments.seed)

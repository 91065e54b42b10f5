"""A small Stable Diffusion: its parts, its vocabulary, and its folder in the layout of diffusers."""

import json
import re
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo.training.architectures import write_clip_tokenizer, write_json
from demo.training.captions import LARGE_WORDS, PLACE_PHRASES, SMALL_WORDS, TIME_PHRASES
from demo.world.scenes import CLASSES, COLORS, SIDE
from diagen.embeddings.step_draws import TEMPLATES

TEXT_LENGTH = 32
TEXT_WIDTH = 64
LATENT_SIDE = SIDE // 4


def caption_words() -> list[str]:
    """All words of captions, unique and sorted."""
    phrases = [*CLASSES, *COLORS, *SMALL_WORDS, *LARGE_WORDS, *TEMPLATES, "an"]
    for choices in (*PLACE_PHRASES.values(), *TIME_PHRASES.values()):
        phrases += choices
    return sorted({word for phrase in phrases for word in re.findall("[a-z]+", phrase)})


def new_tokenizer(folder: Path) -> CLIPTokenizer:
    """Writes and loads the tokenizer: one token per caption word, letters for all other text."""
    write_clip_tokenizer(folder, caption_words(), TEXT_LENGTH)
    return CLIPTokenizer.from_pretrained(folder)


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder of two layers."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_unet() -> UNet2DConditionModel:
    """An untrained UNet of 5.5 M parameters, with cross-attention in its two lower levels."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 96, 128),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_scheduler() -> PNDMScheduler:
    """The noise schedule and sampler of Stable Diffusion v1-4."""
    return PNDMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
        set_alpha_to_one=False,
    )


class TextToImage(nn.Module):
    """The text encoder and the UNet, which are trained together."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text_encoder = new_text_encoder(tokenizer)
        self.unet = new_unet().to(memory_format=torch.channels_last)

    def forward(self, latents: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Predicts the noise [B, 4, 16, 16] in noisy latents, given captions as tokens int64 [B, 32]."""
        return self.unet(latents, timesteps, self.text_encoder(tokens)[0], return_dict=False)[0]


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Token numbers int64 [B, 32], padded and truncated as in Stable Diffusion's pipeline."""
    return tokenizer(
        captions, padding="max_length", max_length=TEXT_LENGTH, truncation=True, return_tensors="pt"
    ).input_ids


def write_text_to_image(folder: Path, model: TextToImage, tokenizer: CLIPTokenizer) -> None:
    """Adds all other parts in float16 to a Stable Diffusion folder that contains the autoencoder."""
    pipeline = StableDiffusionImg2ImgPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float16),
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        unet=model.unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder)
    # As in Stable Diffusion v1-4, vocab.json and merges.txt are the only source of the vocabulary.
    (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    write_clip_tokenizer(folder / "tokenizer", caption_words(), TEXT_LENGTH)
    # The path from which diffusers read the autoencoder is irrelevant to the model.
    config = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    config.pop("_name_or_path", None)
    write_json(folder / "vae" / "config.json", config)


def generate_from_noise(
    folder: Path, prompts: list[str], *, seed: int, steps: int = 25, guidance_scale: float = 4.0, device: str = "cpu"
) -> Tensor:
    """Generates pictures of the prompts from noise, float32 [B, 3, 64, 64] in 0..1; picture i has seed `seed` + i."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, safety_checker=None)
    pipeline = pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    parts = []
    for start in range(0, len(prompts), 50):
        batch = prompts[start : start + 50]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(batch))]
        pictures = pipeline(
            batch,
            height=SIDE,
            width=SIDE,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generators,
            output_type="pt",
        ).images
        parts.append(pictures.float().cpu())
    return torch.cat(parts)

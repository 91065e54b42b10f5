"""Operations of one pass of each model: counted on the model itself, or the known counts of the paper's models.

Free of torch until something is counted, since the rules use the known counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagen.config import Config
from diagen.files.model_parts import pixels_per_latent

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from diagen.models.diffusion import Diffusion

DINOV2 = {"dinov2_vits14": 0.0122, "dinov2_vitb14": 0.0463, "dinov2_vitl14": 0.162}
"""TFLOP of an image of 224 pixels, by entry point."""


@dataclass(frozen=True)
class Operations:
    """TFLOP (a multiply-add counts 2) of one pass of each model or part for one image or text.

    `prompt` is the work of a language model for one prompt.
    """

    unet: float
    encode: float
    decode: float
    text: float
    backbone: float
    features: float
    prompt: float


PROMPT_TOKENS = 60  # a guess: of a prompt and of its share of the instruction


def prompt_operations(gguf_bytes: float) -> float:
    """TFLOP of one prompt: a multiply-add for each token and weight; 4-bit GGUF files have two weights in a byte."""
    return 2 * 2 * gguf_bytes * PROMPT_TOKENS / 1e12


PAPER = Operations(
    0.803,
    1.117,
    2.515,
    0.0133,
    backbone=0.0107,
    features=DINOV2["dinov2_vitl14"],
    prompt=prompt_operations(4.1e9),
)
"""Stable Diffusion v1-4 at 512 pixels, ResNet-50 at 256, DINOv2 ViT-L/14 at 224, Llama 2 7B in 4 bits."""
DEMO = Operations(
    5.131e-4,
    5.606e-4,
    1.567e-3,
    6.816e-6,
    backbone=4.109e-5,
    features=1.315e-4,
    prompt=4.163e-4,
)
"""The demo's models at 64 pixels, as counted on them."""


def paper_operations(config: Config) -> Operations:
    """Operations of the paper's models (or the named DINOv2), scaled to the configured image sizes."""
    models = config.models
    pixels = (models.diffusion.image_size / 512) ** 2
    return Operations(
        PAPER.unet * pixels,
        PAPER.encode * pixels,
        PAPER.decode * pixels,
        PAPER.text,
        backbone=PAPER.backbone * (config.downstream.image_size / 256) ** 2,
        features=DINOV2.get(models.features.entry_point, PAPER.features) * (models.features.image_size / 224) ** 2,
        prompt=PAPER.prompt,
    )


def count(model: Callable[..., object], *inputs: torch.Tensor, **options: torch.Tensor) -> float:
    """TFLOP of one forward pass, attention included; on `meta` tensors nothing is computed."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter sees the products of attention only in this implementation.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs, **options)
    return counter.get_total_flops() / 1e12


def count_diffusion(diffusion: Diffusion) -> dict[str, float]:
    """TFLOP of the parts of a Stable Diffusion for one image of its size. Moves the model to `meta`."""
    import torch

    parts: tuple[Any, ...] = (diffusion.vae, diffusion.unet, diffusion.text_encoder)
    vae, unet, text_encoder = (part.to("meta") for part in parts)
    size = diffusion.image_size // pixels_per_latent(vae.config)

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=diffusion.dtype, device="meta")

    length, width = diffusion.tokenizer.model_max_length, unet.config.cross_attention_dim
    ids = torch.empty((1, length), dtype=torch.long, device="meta")
    latents = empty(1, vae.config.latent_channels, size, size)
    timestep = torch.empty((), dtype=torch.long, device="meta")
    return {
        "unet": count(unet, latents, timestep, encoder_hidden_states=empty(1, length, width)),
        "encode": count(vae.encoder, empty(1, 3, diffusion.image_size, diffusion.image_size)),
        "decode": count(vae.decoder, latents),
        "text": count(text_encoder, ids),
    }

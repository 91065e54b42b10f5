"""How many operations one pass of each model takes, counted on the model itself or known of the paper's models.

Free of torch until something is counted: what is known serves the rules, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from diagen.models.diffusion import Diffusion

DINOV2 = {"dinov2_vits14": 0.0122, "dinov2_vitb14": 0.0463, "dinov2_vitl14": 0.162}


@dataclass(frozen=True)
class DiffusionOperations:
    """TFLOP (a multiply-add is two) of one sample: a pass of the UNet, the VAE's two halves, the text encoder."""

    unet: float
    encode: float
    decode: float
    text: float


PAPERS_DIFFUSION = DiffusionOperations(unet=0.803, encode=1.117, decode=2.515, text=0.0133)
"""Stable Diffusion v1-4 at 512 pixels."""
PAPERS_BACKBONE = 0.0107
"""ResNet-50 at 256 pixels, TFLOP an image."""


def count(model: nn.Module, *inputs: torch.Tensor, **options: torch.Tensor) -> float:
    """TFLOP of one forward pass, attention included; nothing is computed on `meta` tensors."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter knows attention by its products only where it is written out.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(*inputs, **options)
    return counter.get_total_flops() / 1e12


def count_diffusion(diffusion: Diffusion) -> DiffusionOperations:
    """The operations of a Stable Diffusion for one image of its size. Its weights are given up: it moves to `meta`."""
    import torch

    vae, unet, text_encoder = (part.to("meta") for part in (diffusion.vae, diffusion.unet, diffusion.text_encoder))
    size = diffusion.image_size // 2 ** (len(vae.config.block_out_channels) - 1)

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=diffusion.dtype, device="meta")

    length, width = diffusion.tokenizer.model_max_length, unet.config.cross_attention_dim
    ids = torch.empty((1, length), dtype=torch.long, device="meta")
    latents = empty(1, vae.config.latent_channels, size, size)
    timestep = torch.empty((), dtype=torch.long, device="meta")
    return DiffusionOperations(
        unet=count(unet, latents, timestep, encoder_hidden_states=empty(1, length, width)),
        encode=count(vae.encoder, empty(1, 3, diffusion.image_size, diffusion.image_size)),
        decode=count(vae.decoder, latents),
        text=count(text_encoder, ids),
    )

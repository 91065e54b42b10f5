"""img2img from a guide image with the word of its class, noise and a prompt (section 3 of the paper).

This module contains only what decides the pixels of a synthetic image: the names of images in the store depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diagen.images import load_image
from diagen.models.diffusion import (
    Diffusion,
    are_finite,
    decode_latents,
    encode_posteriors,
    encode_prompts,
    float32_vae,
    image_to_tensor,
    tokenize,
)
from diagen.models.pseudo_words import pseudo_word
from diagen.schedules import kept_steps

if TYPE_CHECKING:  # the code that plans rows does not decide pixels, so it stays out of the fingerprint
    from diagen.config.programs import GenerateImagesSettings
    from diagen.generation.plan_file import PlanRow


@dataclass(frozen=True)
class Posterior:
    """Posterior of the VAE for one guide image: mean and standard deviation, float32 [channels, h, w].

    `size` is the guide image's width and height in pixels.
    """

    mean: Tensor
    deviation: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class Word:
    """The learned word in a prompt: its pseudo-word, and its vectors [vectors, width] without noise."""

    token: str
    vectors: Tensor


def encode_guides(
    diffusion: Diffusion, paths: Sequence[Path], class_names: Sequence[str], micro_batch: int
) -> list[Posterior]:
    """Encode each guide image, squashed to the model's size (bilinear); `class_names` are for errors.

    Raises `InputError` for a file that cannot be read as an image, and for posteriors that are not finite.
    """
    photos = [load_image(path) for path in paths]
    tensors = [image_to_tensor(photo, diffusion.image_size, Image.Resampling.BILINEAR) for photo in photos]
    names = [f"class `{name}`, {path}" for name, path in zip(class_names, paths, strict=True)]
    means, deviations = encode_posteriors(diffusion, tensors, names, micro_batch)
    sizes = [photo.size for photo in photos]
    return [Posterior(*parts) for parts in zip(means, deviations, sizes, strict=True)]


@torch.no_grad()
def generate_batch(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    guides: Sequence[Posterior],
    words: Sequence[Word | None],
    settings: GenerateImagesSettings,
) -> list[Image.Image | None]:
    """Run img2img with classifier-free guidance on one micro-batch: an RGB image per row, `None` if it is not finite.

    `guides` and `words` correspond to the rows; all words have the same number of vectors. Each row has its own
    generator on the CPU, which draws first the sample of the guide's posterior and then the noise, as diffusers'
    img2img does with a generator per image. Images have the model's size, or that of the guide image with
    `settings.resize_to_guide` (bilinear).
    """
    drawn = [_initial_noise(row, guide) for row, guide in zip(rows, guides, strict=True)]
    sample = torch.stack([latent for latent, _ in drawn]) * diffusion.vae.config.scaling_factor
    noise = torch.stack([noise for _, noise in drawn])
    used = [word or _no_word(diffusion, row) for word, row in zip(words, rows, strict=True)]
    pairs = zip(used, rows, strict=True)
    noisy_words = torch.stack([noisy_word(word.vectors, row.noise_level, row.noise_seed) for word, row in pairs])
    tokens, vectors = [word.token for word in used], noisy_words.shape[1]
    prompts = tokenize(diffusion.tokenizer, [row.prompt for row in rows], tokens, vectors)
    negative = tokenize(diffusion.tokenizer, [settings.negative_prompt] * len(rows), tokens, vectors)
    states = torch.cat(
        [encode_prompts(diffusion, negative, noisy_words), encode_prompts(diffusion, prompts, noisy_words)]
    )
    latents = _denoise(diffusion, sample, noise, states.to(diffusion.dtype), settings)
    sizes = [guide.size if settings.resize_to_guide else None for guide in guides]
    decoded, finite = _decode(diffusion, latents / diffusion.vae.config.scaling_factor)
    pixels = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [
        _image(array, size) if is_finite else None for array, size, is_finite in zip(pixels, sizes, finite, strict=True)
    ]


def _decode(diffusion: Diffusion, latents: Tensor) -> tuple[Tensor, list[bool]]:
    """Decode `latents` to float32 [n, 3, size, size] in about [-1, 1], and whether each image is finite.

    An image that overflows, as those of Stable Diffusion 1's VAE may in float16, is decoded again in float32, alone, so
    that its bits do not depend on the other images.
    """
    decoded = decode_latents(diffusion, latents)
    finite = are_finite(decoded)
    if all(finite) or diffusion.dtype == torch.float32:
        return decoded, finite
    vae = float32_vae(diffusion)
    for row in [row for row, is_finite in enumerate(finite) if not is_finite]:
        decoded[row] = vae.decode(latents[row : row + 1].float()).sample[0]
    return decoded, are_finite(decoded)


def _image(pixels: NDArray[np.uint8], size: tuple[int, int] | None) -> Image.Image:
    """The image of `pixels` [h, w, 3], resized (bilinear) to the width and height `size`, if given."""
    image = Image.fromarray(pixels)
    return image.resize(size, Image.Resampling.BILINEAR) if size else image


def _no_word(diffusion: Diffusion, row: PlanRow) -> Word:
    """Return a word of zeros for a prompt without a word: its token does not occur, so it has no effect."""
    return Word(pseudo_word(row.class_name), torch.zeros(1, diffusion.text_encoder.config.hidden_size))


def noisy_word(word: Tensor, level: float, seed: int) -> Tensor:
    """Add a draw of N(0, level^2 I) to a word [vectors, width] (section 3.2; `level` is a standard deviation)."""
    return word + level * torch.randn(word.shape, generator=torch.Generator().manual_seed(seed))


def _initial_noise(row: PlanRow, guide: Posterior) -> tuple[Tensor, Tensor]:
    """Draw the sample of the guide's posterior and the noise, both [channels, h, w], from the image's seed."""
    generator = torch.Generator().manual_seed(row.image_seed)
    latent = guide.mean + guide.deviation * torch.randn(guide.mean.shape, generator=generator)
    return latent, torch.randn(guide.mean.shape, generator=generator)


def _denoise(
    diffusion: Diffusion, sample: Tensor, noise: Tensor, states: Tensor, settings: GenerateImagesSettings
) -> Tensor:
    """Add noise to the latents up to the timestep of the strength, then denoise them with guidance.

    `states` has the hidden states of the negative prompts (usually empty), then those of the prompts:
    [2 n, length, width].
    """
    scheduler = diffusion.scheduler
    scheduler.set_timesteps(settings.inference_steps)
    kept = kept_steps(settings.inference_steps, settings.strength, scheduler.config.num_train_timesteps)
    timesteps = scheduler.timesteps[max(0, settings.inference_steps - kept) :]
    latents = scheduler.add_noise(sample, noise, timesteps[:1]).to(diffusion.device, diffusion.dtype)
    for timestep in timesteps:
        # One pass for both predictions: they share the latents.
        unguided, guided = diffusion.unet(
            torch.cat([latents, latents]), timestep.to(diffusion.device), encoder_hidden_states=states
        ).sample.chunk(2)
        predicted = unguided + settings.guidance_scale * (guided - unguided)
        latents = scheduler.step(predicted, timestep, latents).prev_sample
    return latents

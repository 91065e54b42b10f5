"""Generation fills in the plan: img2img from each guide image with its class's word, noise and prompt (section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from diagen.config.programs import GenerateImagesSettings
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import Diffusion, encode_prompts, tokenize
from diagen.models.pseudo_words import pseudo_word


@dataclass(frozen=True)
class Posterior:
    """The VAE's posterior of one guide image: mean and standard deviation, float32 [channels, h, w].

    `size` is the guide image's width and height in pixels.
    """

    mean: Tensor
    deviation: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class Word:
    """The learned word in a prompt: the pseudo-word that stands for it, and its clean vectors [vectors, width]."""

    token: str
    vectors: Tensor


@torch.no_grad()
def generate_batch(
    diffusion: Diffusion,
    rows: Sequence[PlanRow],
    guides: Sequence[Posterior],
    words: Sequence[Word | None],
    settings: GenerateImagesSettings,
) -> list[Image.Image]:
    """One micro-batch of img2img with classifier-free guidance: an RGB image of the model's size per row.

    `guides` and `words` belong to the rows; words have one number of vectors. Each row has a generator of its own on
    the CPU, which draws the sample of the guide's posterior first and then the noise, as diffusers' img2img does with
    a generator per image.
    """
    drawn = [_initial_noise(row, guide) for row, guide in zip(rows, guides, strict=True)]
    sample = torch.stack([latent for latent, _ in drawn]) * diffusion.vae.config.scaling_factor
    noise = torch.stack([noise for _, noise in drawn])
    spoken = [word or _unspoken(diffusion, row) for word, row in zip(words, rows, strict=True)]
    pairs = zip(spoken, rows, strict=True)
    noisy_words = torch.stack([noisy_word(word.vectors, row.noise_level, row.noise_seed) for word, row in pairs])
    tokens, vectors = [word.token for word in spoken], noisy_words.shape[1]
    prompts = tokenize(diffusion.tokenizer, [row.prompt for row in rows], tokens, vectors)
    against = tokenize(diffusion.tokenizer, [settings.negative_prompt] * len(rows), tokens, vectors)
    states = torch.cat(
        [encode_prompts(diffusion, against, noisy_words), encode_prompts(diffusion, prompts, noisy_words)]
    )
    latents = _denoise(diffusion, sample, noise, states.to(diffusion.dtype), settings)
    decoded = diffusion.vae.decode(latents / diffusion.vae.config.scaling_factor).sample
    pixels = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return [Image.fromarray(image) for image in pixels.permute(0, 2, 3, 1).cpu().numpy()]


def _unspoken(diffusion: Diffusion, row: PlanRow) -> Word:
    """What stands in for the word of a prompt that has none, and has no influence."""
    return Word(pseudo_word(row.class_name), torch.zeros(1, diffusion.text_encoder.config.hidden_size))


def noisy_word(word: Tensor, level: float, seed: int) -> Tensor:
    """The word [vectors, width] plus a draw of N(0, level^2 I) (section 3.2; `level` is a standard deviation)."""
    return word + level * torch.randn(word.shape, generator=torch.Generator().manual_seed(seed))


def _initial_noise(row: PlanRow, guide: Posterior) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(row.image_seed)
    latent = guide.mean + guide.deviation * torch.randn(guide.mean.shape, generator=generator)
    return latent, torch.randn(guide.mean.shape, generator=generator)


def _denoise(
    diffusion: Diffusion, sample: Tensor, noise: Tensor, states: Tensor, settings: GenerateImagesSettings
) -> Tensor:
    """Noise the latents to the strength's timestep and follow the schedule back, with guidance.

    `states` holds the hidden states of the negative prompts (mostly empty), then those of the prompts:
    [2 n, length, width].
    """
    scheduler = diffusion.scheduler
    scheduler.set_timesteps(settings.inference_steps)
    kept = min(int(settings.inference_steps * settings.strength), settings.inference_steps)
    timesteps = scheduler.timesteps[settings.inference_steps - kept :]
    latents = scheduler.add_noise(sample, noise, timesteps[:1]).to(diffusion.device, diffusion.dtype)
    for timestep in timesteps:
        # One pass for both halves: the guided and the unguided prediction share the latents.
        unguided, guided = diffusion.unet(
            torch.cat([latents, latents]), timestep.to(diffusion.device), encoder_hidden_states=states
        ).sample.chunk(2)
        predicted = unguided + settings.guidance_scale * (guided - unguided)
        latents = scheduler.step(predicted, timestep, latents).prev_sample
    return latents

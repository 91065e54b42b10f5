"""What each step of Textual Inversion draws: photos and flips, latents, noise, timesteps and captions.

The draws of a class depend only on the class and the number of the step, not on the other classes or on interruptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diagen.config import Embedding
from diagen.models.diffusion import Diffusion, TokenizedPrompts, tokenize
from diagen.models.pseudo_words import pseudo_word
from diagen.seeds import stable_seed

# The object templates of the Textual Inversion paper, used by DA-Fusion and DIAGen.
TEMPLATES = (
    "a photo of a {}",
    "a rendering of a {}",
    "a cropped photo of the {}",
    "the photo of a {}",
    "a photo of a clean {}",
    "a photo of a dirty {}",
    "a dark photo of the {}",
    "a photo of my {}",
    "a photo of the cool {}",
    "a close-up photo of a {}",
    "a bright photo of the {}",
    "a cropped photo of a {}",
    "a photo of the {}",
    "a good photo of the {}",
    "a photo of one {}",
    "a close-up photo of the {}",
    "a rendition of the {}",
    "a photo of the clean {}",
    "a rendition of a {}",
    "a photo of a nice {}",
    "a good photo of a {}",
    "a photo of the nice {}",
    "a photo of the small {}",
    "a photo of the weird {}",
    "a photo of the large {}",
    "a photo of a cool {}",
    "a photo of a small {}",
)


@dataclass(frozen=True)
class ClassImages:
    """The guide images of one class: posteriors of each image and of its flip.

    `mean` and `deviation` are float32 [images, 2, channels, h, w]; index 1 on the second axis is the flipped image,
    whose latent differs from the flipped latent. `seed_parts` identify the cell, for the seeds.
    """

    class_name: str
    seed_parts: tuple[str | int, ...]
    mean: Tensor
    deviation: Tensor


@dataclass(frozen=True)
class StepDraws:
    """What a step draws for its rows, on the CPU; row r belongs to class r // batch.

    `latents`, before the scaling factor, and `noise` are float32 [rows, c, h, w], `timesteps` int64 [rows].
    """

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    prompts: TokenizedPrompts


def draw_step(diffusion: Diffusion, classes: Sequence[ClassImages], settings: Embedding, step: int) -> StepDraws:
    """Draw what the rows of `step` need, class by class, on the CPU."""
    draws = [_draw(item, settings, step, diffusion.scheduler.config.num_train_timesteps) for item in classes]
    latents, noise, timesteps, captions = (list(column) for column in zip(*draws, strict=True))
    tokens = [pseudo_word(item.class_name) for item in classes for _ in range(settings.batch)]
    prompts = tokenize(diffusion.tokenizer, [text for row in captions for text in row], tokens, settings.vectors)
    return StepDraws(torch.cat(latents), torch.cat(noise), torch.cat(timesteps), prompts)


def _draw(
    item: ClassImages, settings: Embedding, step: int, timesteps: int
) -> tuple[Tensor, Tensor, Tensor, list[str]]:
    """Draw latents, noise [batch, c, h, w], timesteps [batch] and captions of one class at one step, on the CPU."""
    generator = torch.Generator().manual_seed(stable_seed(*item.seed_parts, item.class_name, step, "inversion"))

    def below(bound: int) -> Tensor:
        return torch.randint(bound, (settings.batch,), generator=generator)

    image, flip, template, timestep = below(len(item.mean)), below(2), below(len(TEMPLATES)), below(timesteps)
    mean, deviation = item.mean[image, flip], item.deviation[image, flip]
    latents = mean + deviation * torch.randn(mean.shape, generator=generator)
    noise = torch.randn(mean.shape, generator=generator)
    word = pseudo_word(item.class_name)
    return latents, noise, timestep, [TEMPLATES[index].format(word) for index in template]

"""Textual Inversion (arXiv 2208.01618) of many words in one batch.

Everything except the words is frozen, so the gradient of a word comes only from the images of its class, and many
words share one forward and backward pass: the loss is the sum of the mean losses of the classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from diagen.config import Embedding
from diagen.embeddings.words_file import LearnedWord
from diagen.files.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state
from diagen.models.diffusion import (
    Diffusion,
    encode_posteriors,
    encode_prompts,
    image_to_tensor,
    tokenize,
    word_vectors,
)
from diagen.models.pseudo_words import pseudo_word
from diagen.runtime.gpu_memory import halve_when_full
from diagen.runtime.progress import progress
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from diffusers import PNDMScheduler

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

CHECKPOINT_EVERY = 100  # steps


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


def square(image: Image.Image, crop: str) -> Image.Image:
    """Return the image for inversion: whole (`squash`, published code) or its largest central square (`center`)."""
    if crop == "squash":
        return image
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def encode_class(
    diffusion: Diffusion,
    class_name: str,
    seed_parts: tuple[str | int, ...],
    images: Sequence[Image.Image],
    *,
    crop: str,
    micro_batch: int,
) -> ClassImages:
    """Encode a class's guide images and their flips once; every step samples these posteriors again."""
    size = diffusion.image_size
    tensors = [image_to_tensor(square(image, crop), size, Image.Resampling.BICUBIC) for image in images]
    both = [view for tensor in tensors for view in (tensor, tensor.flip(-1))]
    names = [f"class `{class_name}`, photo {index // 2 + 1} of {len(images)}" for index in range(len(both))]
    mean, deviation = halve_when_full(micro_batch, lambda size: encode_posteriors(diffusion, both, names, size))
    return ClassImages(class_name, seed_parts, mean.unflatten(0, (-1, 2)), deviation.unflatten(0, (-1, 2)))


def learn_words(
    diffusion: Diffusion, classes: Sequence[ClassImages], settings: Embedding, checkpoint: Path | None = None
) -> list[LearnedWord]:
    """Learn the words of `classes` in one batch; each result is that of learning the word alone (section 3.1).

    The state is saved to `checkpoint`, if given, every `CHECKPOINT_EVERY` steps. An interrupted run continues from it
    to the same result: the random draws of a step depend only on the class and the number of the step.
    Raises `FloatingPointError` with class and step when a loss is not finite.
    """
    words = torch.stack([_initial_word(diffusion, item.class_name, settings) for item in classes])
    words = words.to(diffusion.device).requires_grad_(True)
    rate = settings.learning_rate * (settings.batch if settings.scale_learning_rate else 1)
    optimizer = torch.optim.AdamW(
        [words], lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=settings.weight_decay, foreach=False
    )
    tail = max(1, settings.steps // 10)
    tail_loss = torch.zeros(len(classes))
    first = _restore(checkpoint, words, optimizer, tail_loss) if checkpoint else 0
    steps = range(first, settings.steps)
    for step in progress(steps, total=settings.steps, done=first, progress_label="learning words", unit="steps"):
        losses = class_losses(diffusion, classes, words, settings, step)
        _require_finite(losses, classes, step)
        optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        optimizer.step()
        if step >= settings.steps - tail:
            tail_loss += losses.detach().float().cpu()
        if checkpoint and (step + 1) % CHECKPOINT_EVERY == 0 and step + 1 < settings.steps:
            _save(checkpoint, words, optimizer, tail_loss, step + 1)
    vectors = words.detach().float().cpu()
    return [
        LearnedWord(item.class_name, vectors[index].clone(), float(tail_loss[index] / tail))
        for index, item in enumerate(classes)
    ]


def class_losses(
    diffusion: Diffusion, classes: Sequence[ClassImages], words: Tensor, settings: Embedding, step: int
) -> Tensor:
    """Compute the loss of each class [classes] at `step`: the mean squared error of predicted noise (or velocity).

    `words` is [classes, vectors, width]. Row r of the batch belongs to class r // batch.
    """
    draws = [_draw(item, settings, step, diffusion.scheduler.config.num_train_timesteps) for item in classes]
    latents, noise, timesteps, captions = (list(column) for column in zip(*draws, strict=True))
    latents = torch.cat(latents).to(diffusion.device, diffusion.dtype) * diffusion.vae.config.scaling_factor
    noise = torch.cat(noise).to(diffusion.device, diffusion.dtype)
    timesteps = torch.cat(timesteps).to(diffusion.device)
    tokens = [pseudo_word(item.class_name) for item in classes for _ in range(settings.batch)]
    prompts = tokenize(diffusion.tokenizer, [text for row in captions for text in row], tokens, settings.vectors)
    with torch.autocast(diffusion.device.type, torch.bfloat16, enabled=settings.dtype == "bfloat16"):
        states = encode_prompts(diffusion, prompts, words.repeat_interleave(settings.batch, dim=0))
        noisy = diffusion.scheduler.add_noise(latents, noise, timesteps)
        predicted = diffusion.unet(noisy, timesteps, encoder_hidden_states=states).sample
    target = _target(diffusion.scheduler, latents, noise, timesteps)
    errors = (predicted.float() - target.float()).square().mean(dim=(1, 2, 3))
    return errors.view(len(classes), settings.batch).mean(dim=1)


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


def _target(scheduler: "PNDMScheduler", latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """Return the target of the UNet: the noise, or the velocity of v-prediction (arXiv 2202.00512)."""
    if scheduler.config.prediction_type == "epsilon":
        return noise
    alpha = scheduler.alphas_cumprod.to(latents.device, latents.dtype)[timesteps][:, None, None, None]
    return alpha.sqrt() * noise - (1 - alpha).sqrt() * latents


def _initial_word(diffusion: Diffusion, class_name: str, settings: Embedding) -> Tensor:
    """Return the initial vectors [vectors, width] of a word: those of the initializer's tokens, in turn."""
    start = word_vectors(diffusion, settings.initializer.replace("{class_name}", class_name.replace("_", " ")))
    return start[torch.arange(settings.vectors) % len(start)]


def _require_finite(losses: Tensor, classes: Sequence[ClassImages], step: int) -> None:
    bad = [item.class_name for item, loss in zip(classes, losses.tolist(), strict=True) if not abs(loss) < float("inf")]
    if bad:
        raise FloatingPointError(
            f"the loss of {', '.join(bad)} is not finite at step {step}. Lower `embeddings.<name>.learning_rate`"
        )


def _save(path: Path, words: Tensor, optimizer: torch.optim.AdamW, tail_loss: Tensor, step: int) -> None:
    save_state(path, {"words": words, "tail_loss": tail_loss, **optimizer_tensors(optimizer)}, {"step": step})


def _restore(path: Path, words: Tensor, optimizer: torch.optim.AdamW, tail_loss: Tensor) -> int:
    """Restore the state from an intact checkpoint, if there is one. Returns the number of steps already done."""
    saved = load_state(path)
    if saved is None:
        return 0
    tensors, values = saved
    with torch.no_grad():
        words.copy_(tensors["words"])
        tail_loss.copy_(tensors["tail_loss"])
    restore_optimizer(optimizer, tensors)
    return values["step"]

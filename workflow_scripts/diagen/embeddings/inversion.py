"""Textual Inversion (arXiv 2208.01618) of many words in one batch.

Everything except the words is frozen, so the gradient of a word comes only from the images of its class, and many
words share one forward and backward pass: the loss is the sum of the mean losses of the classes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from diagen.config import Embedding
from diagen.embeddings.step_draws import ClassImages, StepDraws, draw_step
from diagen.embeddings.words_file import LearnedWord
from diagen.files.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state
from diagen.models.diffusion import (
    Diffusion,
    TokenizedPrompts,
    encode_posteriors,
    encode_prompts,
    image_to_tensor,
    word_vectors,
)
from diagen.runtime.execution import find_dtype
from diagen.runtime.gpu_memory import halve_when_full
from diagen.runtime.progress import progress

if TYPE_CHECKING:
    from diffusers import PNDMScheduler, UNet2DConditionModel

CHECKPOINT_EVERY = 100  # steps


def square(image: Image.Image, crop: str) -> Image.Image:
    """Return the image for inversion: whole (`squash`, published code) or its largest central square (`center`)."""
    if crop == "squash":
        return image
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


def encode_classes(
    diffusion: Diffusion,
    photos: Mapping[str, Iterable[Image.Image]],
    seed_parts: tuple[str | int, ...],
    *,
    crop: str,
    micro_batch: int,
) -> list[ClassImages]:
    """Encode the guide images of each class in `photos`, and their flips, once; every step samples these posteriors.

    Images of all classes share passes of the fixed size `micro_batch`, which gives the same bits as class by class.
    """
    resample = Image.Resampling.BICUBIC
    views: list[Tensor] = []
    names: list[str] = []
    counts = []
    for class_name, images in photos.items():
        tensors = [image_to_tensor(square(image, crop), diffusion.image_size, resample) for image in images]
        views += [view for tensor in tensors for view in (tensor, tensor.flip(-1))]
        names += [
            f"class `{class_name}`, photo {index // 2 + 1} of {len(tensors)}" for index in range(2 * len(tensors))
        ]
        counts.append(len(tensors))
    posteriors = halve_when_full(micro_batch, lambda size: encode_posteriors(diffusion, views, names, size))
    mean, deviation = (part.unflatten(0, (-1, 2)).split(counts) for part in posteriors)
    return [ClassImages(name, seed_parts, *parts) for name, *parts in zip(photos, mean, deviation, strict=True)]


@contextmanager
def recomputed_activations(unet: "UNet2DConditionModel", recompute: bool) -> Iterator[None]:
    """If `recompute`, the UNet's backward pass computes activations again (gradient checkpointing, arXiv 1604.06174).

    The gradients have the same bits.
    """
    if recompute:
        unet.enable_gradient_checkpointing()
    try:
        yield
    finally:
        unet.disable_gradient_checkpointing()


def learn_words(
    diffusion: Diffusion,
    classes: Sequence[ClassImages],
    settings: Embedding,
    checkpoint: Path | None = None,
    micro_batch: int | None = None,
) -> list[LearnedWord]:
    """Learn the words of `classes` in one batch; each result is that of learning the word alone (section 3.1).

    The rows of a step (`settings.batch` images of each class) go through the model in passes of `micro_batch` rows, by
    default all at once, whose gradients add up. The state is saved to `checkpoint`, if given, every `CHECKPOINT_EVERY`
    steps. An interrupted run with the same micro-batch and precision continues from it to the same result: the random
    draws of a step depend only on the class and the number of the step.
    Raises `FloatingPointError` with class, step and precision when a loss or a word is not finite.
    """
    micro_batch = micro_batch or len(classes) * settings.batch
    dtype = find_dtype(settings.dtype, diffusion.device)
    settings = settings.model_copy(update={"dtype": dtype})
    words = torch.stack([_initial_word(diffusion, item.class_name, settings) for item in classes])
    words = words.to(diffusion.device).requires_grad_(True)
    rate = settings.learning_rate * (settings.batch if settings.scale_learning_rate else 1)
    optimizer = torch.optim.AdamW(
        [words], lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=settings.weight_decay, foreach=False
    )
    tail = max(1, settings.steps // 10)
    tail_loss = torch.zeros(len(classes))
    rounding: dict[str, int | str] = {"micro_batch": micro_batch, "dtype": dtype}
    first = _restore(checkpoint, words, optimizer, tail_loss, rounding) if checkpoint else 0
    steps = range(first, settings.steps)
    for step in progress(steps, total=settings.steps, done=first, progress_label="learning words", unit="steps"):
        optimizer.zero_grad(set_to_none=True)
        losses = add_gradients(diffusion, classes, words, settings, step, micro_batch)
        _require_finite("loss", losses, classes, step, dtype)
        optimizer.step()
        _require_finite("word", words, classes, step, dtype)
        if step >= settings.steps - tail:
            tail_loss += losses.float().cpu()
        if checkpoint and (step + 1) % CHECKPOINT_EVERY == 0 and step + 1 < settings.steps:
            _save(checkpoint, words, optimizer, tail_loss, {"step": step + 1, **rounding})
    vectors = words.detach().float().cpu()
    return [
        LearnedWord(item.class_name, vectors[index].clone(), float(tail_loss[index] / tail))
        for index, item in enumerate(classes)
    ]


def add_gradients(
    diffusion: Diffusion,
    classes: Sequence[ClassImages],
    words: Tensor,
    settings: Embedding,
    step: int,
    micro_batch: int,
) -> Tensor:
    """Add the gradients of the losses of `classes` at `step` to `words.grad`; returns the losses [classes].

    `words` is [classes, vectors, width]. The loss of a class is the mean squared error of its predicted noise (or
    velocity). Passes have the fixed size `micro_batch`: a short last one is padded with rows that have no gradient.
    """
    draws = draw_step(diffusion, classes, settings, step)
    count = len(draws.latents)
    errors = []
    for start in range(0, count, micro_batch):
        rows = torch.arange(start, start + micro_batch).clamp(max=count - 1)
        own = words.index_select(0, (rows // settings.batch).to(words.device))
        own_errors = _row_errors(diffusion, draws, rows, own, settings.dtype)[: count - start]
        (own_errors.sum() / settings.batch).backward()
        errors.append(own_errors.detach())
    return torch.cat(errors).view(len(classes), settings.batch).mean(dim=1)


def _row_errors(diffusion: Diffusion, draws: StepDraws, rows: Tensor, words: Tensor, dtype: str) -> Tensor:
    """Compute the mean squared error [n] of each of `rows` (int64 [n]); `words` [n, vectors, width] are theirs."""
    latents = draws.latents[rows].to(diffusion.device, diffusion.dtype) * diffusion.vae.config.scaling_factor
    noise = draws.noise[rows].to(diffusion.device, diffusion.dtype)
    timesteps = draws.timesteps[rows].to(diffusion.device)
    prompts = TokenizedPrompts(draws.prompts.ids[rows], draws.prompts.slots[rows])
    with torch.autocast(diffusion.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        states = encode_prompts(diffusion, prompts, words)
        noisy = diffusion.scheduler.add_noise(latents, noise, timesteps)
        predicted = diffusion.unet(noisy, timesteps, encoder_hidden_states=states).sample
    target = _target(diffusion.scheduler, latents, noise, timesteps)
    return (predicted.float() - target.float()).square().mean(dim=(1, 2, 3))


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


def _require_finite(what: str, values: Tensor, classes: Sequence[ClassImages], step: int, dtype: str) -> None:
    """Raise `FloatingPointError` with the classes of which `values` [classes, ...] are not all finite."""
    finite = values.detach().view(len(classes), -1).isfinite().all(dim=1)
    if not finite.all():
        bad = [item.class_name for item, fine in zip(classes, finite.tolist(), strict=True) if not fine]
        remedy = " or set its `dtype` to `float32`" if dtype != "float32" else ""
        raise FloatingPointError(
            f"the {what} of {', '.join(dict.fromkeys(bad))} is not finite at step {step} in {dtype}. Lower "
            f"`embeddings.<name>.learning_rate`{remedy}"
        )


def _save(
    path: Path, words: Tensor, optimizer: torch.optim.AdamW, tail_loss: Tensor, values: Mapping[str, int | str]
) -> None:
    save_state(path, {"words": words, "tail_loss": tail_loss, **optimizer_tensors(optimizer)}, values)


def _restore(
    path: Path, words: Tensor, optimizer: torch.optim.AdamW, tail_loss: Tensor, rounding: Mapping[str, int | str]
) -> int:
    """Restore the state from an intact checkpoint with the same `rounding`, if there is one.

    Returns the number of steps already done. A state that was computed otherwise is ignored: a word is rounded in one
    way from its first step to its last, the one that is recorded.
    """
    saved = load_state(path)
    if saved is None or any(saved[1].get(name) != value for name, value in rounding.items()):
        return 0
    tensors, values = saved
    with torch.no_grad():
        words.copy_(tensors["words"])
        tail_loss.copy_(tensors["tail_loss"])
    restore_optimizer(optimizer, tensors)
    return values["step"]

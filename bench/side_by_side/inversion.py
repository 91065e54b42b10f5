"""Learning words: a group of classes in one batch, beside one word at a time in the manner of diffusers' script.

The plain loop follows `examples/textual_inversion/textual_inversion.py` of diffusers, which DA-Fusion uses: photos are
decoded, resized and encoded by the VAE at every step, UNet and text encoder recompute their activations, and the
optimizer updates the whole table of tokens, whose other rows are then restored. Models are loaded before the clock
starts, although the published scripts load them for each class.
"""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextModel, CLIPTokenizer

from bench.side_by_side.material import CELL, CPU, DIFFUSION, MICRO_BATCH, SIDE, Photo, Workplace, by_class, photos
from bench.side_by_side.measure import Stage
from diagen.config import Embedding
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.embeddings.step_draws import TEMPLATES
from diagen.embeddings.word_groups import ClassGuides, learn_group
from diagen.embeddings.words_file import read_words
from diagen.models.diffusion import load_diffusion
from diagen.seeds import stable_seed

TOKENS = 49_408
"""Rows of CLIP's table."""


@dataclass
class Parts:
    """Stable Diffusion as diffusers and transformers load it, with a token for each class."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    scheduler: PNDMScheduler


def load_parts(classes: list[str], tokens: int) -> Parts:
    """Load the parts, frozen except the table of at least `tokens` tokens, with checkpointing of activations."""
    folder = str(DIFFUSION.location)
    parts = Parts(
        CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer"),
        CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", dtype=torch.float32),
        AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=torch.float32),
        UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32),
        PNDMScheduler.from_pretrained(folder, subfolder="scheduler"),
    )
    parts.tokenizer.add_tokens([token(name) for name in classes])
    parts.text_encoder.resize_token_embeddings(max(tokens, len(parts.tokenizer)), mean_resizing=False)
    for model in (parts.text_encoder, parts.vae, parts.unet):
        model.requires_grad_(False)
    parts.text_encoder.get_input_embeddings().requires_grad_(True)
    parts.text_encoder.train()
    parts.text_encoder.activation_checkpointing_enable()
    parts.unet.train()
    parts.unet.enable_gradient_checkpointing()
    return parts


def token(class_name: str) -> str:
    """The pseudo-word of a class."""
    return f"<{class_name.replace(' ', '_')}>"


def learn_word(parts: Parts, class_name: str, images: list[Photo], settings: Embedding) -> Tensor:
    """Learn one word [1, width] with the random numbers of the library."""
    table = parts.text_encoder.get_input_embeddings().weight
    number = parts.tokenizer.convert_tokens_to_ids(token(class_name))
    with torch.no_grad():
        table[number] = table[parts.tokenizer(settings.initializer, add_special_tokens=False).input_ids[0]]
    original = table.detach().clone()
    others = torch.arange(len(table)) != number
    optimizer = torch.optim.AdamW(
        [table], lr=settings.learning_rate * settings.batch, weight_decay=settings.weight_decay, eps=1e-8
    )
    for step in range(settings.steps):
        generator = torch.Generator().manual_seed(stable_seed(*CELL, class_name, step, "inversion"))
        image, flip, template, timesteps = (
            torch.randint(bound, (settings.batch,), generator=generator)
            for bound in (len(images), 2, len(TEMPLATES), parts.scheduler.config.num_train_timesteps)
        )
        pixels = torch.stack([pixels_of(images[i], bool(f)) for i, f in zip(image, flip, strict=True)])
        captions = [TEMPLATES[number].format(token(class_name)) for number in template]
        ids = parts.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        latents = parts.vae.encode(pixels).latent_dist.sample(generator).detach() * parts.vae.config.scaling_factor
        noise = torch.randn(latents.shape, generator=generator)
        noisy = parts.scheduler.add_noise(latents, noise, timesteps)
        states = parts.text_encoder(ids)[0]
        loss = functional.mse_loss(parts.unet(noisy, timesteps, states).sample, noise)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            table[others] = original[others]
    return table[number].detach().clone()[None]


def pixels_of(photo: Photo, flip: bool) -> Tensor:
    """Read a photo as float32 [3, size, size] in [-1, 1]."""
    with Image.open(photo.path) as file:
        image = file.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)


def stage(place: Workplace) -> Stage:
    """Eight words of four photos each, beside a plain loop whose table has as many rows as that of CLIP."""
    return _stage(place, "inversion", TOKENS)


def own_table(place: Workplace) -> Stage:
    """The same with the table of the demo's model.

    CLIP's table has more parameters than the demo's UNet, so its share of the plain loop's time is larger than at full
    size. This row leaves it out.
    """
    return _stage(place, "inversion, small table", 0)


def _stage(place: Workplace, name: str, tokens: int) -> Stage:
    guides = by_class(photos(place.new_folder(), place.size(8, 2), per_class=4))
    settings = Embedding(steps=place.size(8, 2), dtype="float32")
    program = LearnEmbeddingsSettings(embedding=settings, diffusion=DIFFUSION)
    group = [
        ClassGuides(name, tuple(str(one.path) for one in found), tuple(one.sha256 for one in found))
        for name, found in guides.items()
    ]
    diffusion, parts = load_diffusion(DIFFUSION, CPU), load_parts(list(guides), tokens)

    def plain() -> dict[str, Tensor]:
        return {name: learn_word(parts, name, found, settings) for name, found in guides.items()}

    def ours() -> dict[str, Tensor]:
        path = place.new_folder() / "words.safetensors"
        learn_group(diffusion, group, path, CELL, program, MICRO_BATCH)
        return read_words(path)

    def floor() -> None:
        rows = len(group) * settings.batch
        unet = diffusion.unet.config
        latents = torch.randn(rows, unet.in_channels, unet.sample_size, unet.sample_size)
        length = diffusion.text_encoder.config.max_position_embeddings
        states = torch.randn(rows, length, unet.cross_attention_dim, requires_grad=True)
        for _ in range(settings.steps):
            diffusion.unet(latents, torch.zeros(rows), states).sample.sum().backward()

    return Stage(
        name=name,
        work=f"{len(group)} words, {settings.steps} steps of batch {settings.batch}",
        plain=plain,
        ours=ours,
        floor=floor,
        difference=lambda one, other: max(float((one[name] - other[name]).abs().max()) for name in one),
        tolerance=1e-4,
        unit="of a word's value",
    )

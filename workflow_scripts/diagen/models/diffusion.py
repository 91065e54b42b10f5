"""Stable Diffusion in diffusers' layout, and pseudo-words in its text encoder."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from diagen.config import DiffusionModel
from diagen.errors import InputError, wider_dtype
from diagen.files.model_parts import (
    LOADING_ERRORS,
    OTHER_HALF_OF_CLIP,
    explain_loading,
    scheduler_problems,
    text_problems,
    unet_problems,
    variant_remedy,
    weight_problems,
)
from diagen.runtime.gpu_memory import explain_full_memory
from diagen.runtime.memory_plan import vae_batch


@dataclass(frozen=True)
class Diffusion:
    """A frozen Stable Diffusion 1.x or 2.x on one device."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: PNDMScheduler
    image_size: int
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class TokenizedPrompts:
    """Prompts as token ids [n, length] (int64), and the slots of pseudo-words in them.

    `slots` [n, length] (int64) is j at the position of the j-th vector of the row's pseudo-word, and -1 elsewhere.
    """

    ids: Tensor
    slots: Tensor


def load_diffusion(model: DiffusionModel, device: torch.device) -> Diffusion:
    """Load the frozen parts of Stable Diffusion from the model's folder, weights from safetensors only.

    The scheduler's configuration has the noise schedule, and whether the UNet predicts noise or velocity. The sampler
    is always PNDM without Runge-Kutta steps and with evenly spaced timesteps from 0 on (`leading`), as in Stable
    Diffusion. Raises `InputError` when files are missing, damaged, or not in diffusers' layout, and with all reasons
    why they do not belong together.
    """
    text_options = {"ignore_mismatched_sizes": True}  # they are reported with the other weights
    vae, vae_info = _load_part(model, "vae", AutoencoderKL.from_pretrained)
    unet, unet_info = _load_part(model, "unet", UNet2DConditionModel.from_pretrained)
    text_encoder, text_info = _load_part(model, "text_encoder", CLIPTextModel.from_pretrained, **text_options)
    tokenizer = _load_part(model, "tokenizer", CLIPTokenizer.from_pretrained, weights=False)
    schedule = _load_part(model, "scheduler", PNDMScheduler.load_config, weights=False)
    places = text_encoder.config.max_position_embeddings
    # Tokenizers without a maximum have 1e30.
    tokenizer.model_max_length = min(tokenizer.model_max_length, places)
    problems = [
        *weight_problems("vae/", vae_info),
        *weight_problems("unet/", unet_info),
        *weight_problems("text_encoder/", text_info, may_have=OTHER_HALF_OF_CLIP),
        *unet_problems(model.location, unet.config, vae.config, text_encoder.config.hidden_size, model.image_size),
        *text_problems(tokenizer, text_encoder.config.vocab_size),
        *scheduler_problems(schedule),
    ]
    if problems:
        raise InputError(
            f"models.diffusion: {model.location} is no complete Stable Diffusion 1.x or 2.x: {'; '.join(problems)}. "
            "Restore its files, or name another model"
        )
    sampler = {"skip_prk_steps": True, "timestep_spacing": "leading"}
    scheduler = _load_part(model, "scheduler", PNDMScheduler.from_pretrained, weights=False, **sampler)
    parts = {"vae": vae, "unet": unet, "text_encoder": text_encoder}
    with explain_full_memory("models.diffusion"):
        frozen = {name: part.to(device).eval().requires_grad_(False) for name, part in parts.items()}
        if device.type == "cpu":  # faster convolutions on the CPU, decoding by a quarter; on CUDA they are slower
            for name in ("vae", "unet"):
                frozen[name].to(memory_format=torch.channels_last)
    return Diffusion(
        **frozen,
        tokenizer=tokenizer,
        scheduler=scheduler,
        image_size=model.image_size,
        device=device,
        dtype=getattr(torch, model.dtype),
    )


def _load_part(
    model: DiffusionModel, part: str, load: Callable[..., Any], *, weights: bool = True, **options: Any
) -> Any:
    """Call `load` for the folder `part` of a model; with `weights`, it returns a network and its loading info."""
    if weights:
        options |= {"dtype": getattr(torch, model.dtype), "use_safetensors": True, "output_loading_info": True}
        options |= {"variant": model.variant} if model.variant else {}
    try:
        return load(str(model.location), subfolder=part, local_files_only=True, **options)
    except LOADING_ERRORS as error:
        raise explain_loading(
            f"models.diffusion: {model.location} cannot be loaded in diffusers' layout: {part}/",
            error,
            variant_remedy(model.location / part, model.variant)
            or "Restore its files, or name a folder with vae/, unet/, text_encoder/, tokenizer/ and scheduler/ and "
            "safetensors weights",
        ) from None


def image_to_tensor(image: Image.Image, size: int, resample: Image.Resampling) -> Tensor:
    """Squash an image to `size` x `size` RGB and return it as float32 [3, size, size] in [-1, 1]."""
    pixels = numpy.asarray(image.convert("RGB").resize((size, size), resample), dtype=numpy.float32)
    return torch.from_numpy(pixels / 127.5 - 1.0).permute(2, 0, 1).contiguous()


@torch.no_grad()
def encode_posteriors(
    diffusion: Diffusion, images: Sequence[Tensor], names: Sequence[str], micro_batch: int
) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation of the VAE's posterior of each image.

    `images` are float32 [3, size, size] in [-1, 1]; `names` describe them in errors. Both results are float32
    [n, channels, h, w] on the CPU, before the scaling factor. Passes have the fixed size `vae_batch` of
    `micro_batch`, so the bits of an image do not depend on the number of images. An image whose posterior overflows is
    encoded again in float32, alone. Raises `InputError` with the names of all images whose posterior is not finite even
    then.
    """
    means, deviations = [], []
    size = vae_batch(micro_batch, diffusion.image_size)
    for start in range(0, len(images), size):
        chunk = list(images[start : start + size])
        padded = torch.stack(chunk + [chunk[-1]] * (size - len(chunk))).to(diffusion.device, diffusion.dtype)
        posterior = diffusion.vae.encode(padded).latent_dist
        means.append(posterior.mean[: len(chunk)].float().cpu())
        deviations.append(posterior.std[: len(chunk)].float().cpu())
    mean, deviation = torch.cat(means), torch.cat(deviations)
    rows = _not_finite(mean, deviation)
    if rows and diffusion.dtype != torch.float32:
        vae = float32_vae(diffusion)
        for row in rows:
            posterior = vae.encode(images[row][None].to(diffusion.device)).latent_dist
            mean[row], deviation[row] = posterior.mean[0].cpu(), posterior.std[0].cpu()
        rows = _not_finite(mean, deviation)
    if rows:
        raise InputError(
            f"models.diffusion: in {str(diffusion.dtype).removeprefix('torch.')}, the VAE's latents of these photos "
            f"are not finite: {'; '.join(dict.fromkeys(names[row] for row in rows))}. {wider_dtype(diffusion.dtype)}"
        )
    return mean, deviation


def decode_latents(diffusion: Diffusion, latents: Tensor) -> Tensor:
    """Decode `latents` [n, channels, h, w], divided by the scaling factor, to float32 [n, 3, size, size].

    Passes have the size `vae_batch` of n: a short last one repeats its last row.
    """
    size = vae_batch(len(latents), diffusion.image_size)
    rows = torch.arange(-(-len(latents) // size) * size, device=latents.device).clamp(max=len(latents) - 1)
    return torch.cat([diffusion.vae.decode(latents[part]).sample.float() for part in rows.split(size)])[: len(latents)]


def _not_finite(mean: Tensor, deviation: Tensor) -> list[int]:
    """The rows of posteriors that have a value that is not finite."""
    pairs = zip(are_finite(mean), are_finite(deviation), strict=True)
    return [row for row, both in enumerate(pairs) if not all(both)]


def are_finite(values: Tensor) -> list[bool]:
    """Return whether all values [n, ...] of each row are finite."""
    return values.isfinite().flatten(1).all(1).tolist()


def float32_vae(diffusion: Diffusion) -> AutoencoderKL:
    """Return a copy of the VAE in float32."""
    return copy.deepcopy(diffusion.vae).float()


def tokenize(tokenizer: CLIPTokenizer, prompts: Sequence[str], words: Sequence[str], vectors: int) -> TokenizedPrompts:
    """Tokenize each prompt; the pseudo-word of the same row in `words` takes `vectors` slots.

    The text before and after the pseudo-word is tokenized separately, as for an added token, but the tokenizer is not
    modified. Rows have the tokenizer's full length; longer prompts are truncated.
    Raises `InputError` when truncation would remove the pseudo-word.
    """
    length = tokenizer.model_max_length
    ids = torch.full((len(prompts), length), tokenizer.pad_token_id)
    slots = torch.full((len(prompts), length), -1)
    for row, (prompt, word) in enumerate(zip(prompts, words, strict=True)):
        row_ids, row_slots = [tokenizer.bos_token_id], [-1]
        for number, piece in enumerate(prompt.split(word)):
            if number:
                row_ids += [tokenizer.eos_token_id] * vectors  # any id: the slots overwrite its vector
                row_slots += range(vectors)
            piece_ids = _token_ids(tokenizer, piece) if piece.strip() else []
            row_ids += piece_ids
            row_slots += [-1] * len(piece_ids)
        if word in prompt and vectors - 1 not in row_slots[: length - 1]:
            raise InputError(
                f"prompt {prompt!r} is too long: its word {word} comes after {length - 2} tokens. Shorten the prompt"
            )
        row_ids = row_ids[: length - 1] + [tokenizer.eos_token_id]
        row_slots = row_slots[: length - 1]
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        slots[row, : len(row_slots)] = torch.tensor(row_slots)
    return TokenizedPrompts(ids, slots)


def _token_ids(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    """Return the token ids of a literal text: special tokens such as `<|endoftext|>` in it are ordinary words."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids


def encode_prompts(diffusion: Diffusion, prompts: TokenizedPrompts, words: Tensor) -> Tensor:
    """Compute the text encoder's last hidden states [n, length, width], with each row's word vectors in its slots.

    `words` is [n, vectors, width]; gradients flow into it.
    """
    table = diffusion.text_encoder.get_input_embeddings()
    ids, slots = prompts.ids.to(diffusion.device), prompts.slots.to(diffusion.device)
    words = words.to(diffusion.device, table.weight.dtype)  # type: ignore[arg-type]  # the weight is a tensor
    picked = words.gather(1, slots.clamp(min=0)[:, :, None].expand(-1, -1, words.shape[-1]))
    vectors = torch.where(slots[:, :, None] >= 0, picked, table(ids))
    # The encoder accepts token ids only, so a hook replaces the vectors that it looks up.
    handle = table.register_forward_hook(lambda *_: vectors)
    try:
        return diffusion.text_encoder(ids).last_hidden_state
    finally:
        handle.remove()


def word_vectors(diffusion: Diffusion, text: str) -> Tensor:
    """Return the text encoder's vectors [tokens, width] (float32, CPU) of the tokens of `text`.

    Raises `InputError` when `text` has no token.
    """
    ids = _token_ids(diffusion.tokenizer, text)
    if not ids:
        raise InputError(
            f"embeddings.<name>.initializer: {text!r} has no token in the model's vocabulary. Use another word"
        )
    return diffusion.text_encoder.get_input_embeddings().weight[ids].detach().float().cpu()  # type: ignore[index]

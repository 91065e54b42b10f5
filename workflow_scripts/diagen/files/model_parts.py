"""Whether the files of a model belong together: weights and architecture, the parts of a Stable Diffusion.

Libraries load such files all the same, and initialize missing weights at random. The checks only refuse models, so
they are part of no fingerprint.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from diagen.errors import InputError, Problem, summary

LOADING_ERRORS = (Exception, SystemExit)
"""Errors that libraries, and the code of a torch.hub repository, raise for files that they cannot load: of any class.

`SystemExit` is no `Exception`, but code that calls `sys.exit` would end the checks of all other models.
"""
WEIGHT_PROBLEMS = {
    "missing_keys": "lacks weights of its architecture",
    "mismatched_keys": "has weights of another shape than its architecture",
    "unexpected_keys": "has weights that its architecture lacks",
}
BATCH_COUNT = "num_batches_tracked"
NAMES_SHOWN = 3
NO_PACKAGE = re.compile(r"Missing dependencies: ([\w.-]+)|requires the ([\w.-]+) library")
"""How torch.hub and transformers report a Python package that a model needs."""
OTHER_CONDITIONS = (
    "addition_embed_type",
    "encoder_hid_dim_type",
    "class_embed_type",
    "num_class_embeds",
    "time_cond_proj_dim",
)
"""Fields of a UNet's configuration that are set if it takes more than a text, such as Stable Diffusion XL's.

`time_cond_proj_dim` is the width of an embedded guidance scale, which latent consistency models take.
"""
SHARD = re.compile(r"-\d+-of-\d+")
"""The number of a shard in the name of a file of weights, which comes before or after the variant."""
OTHER_HALF_OF_CLIP = ("vision_model.", "visual_projection.", "text_projection.", "logit_scale")


def explain_loading(place: str, error: BaseException, remedy: str) -> InputError:
    """Return the error for a model that a library cannot load; for a missing Python package with another remedy.

    An `InputError` explains itself, and is raised again.
    """
    if isinstance(error, InputError):
        raise error
    package = next(filter(None, match.groups()), None) if (match := NO_PACKAGE.search(str(error))) else None
    if package is None and isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
    if package:
        remedy = f"Install the Python package that it needs: .venv/bin/python -m pip install {package}"
    return InputError(f"{place} ({summary(error)}). {remedy}")


def variant_remedy(part: Path, variant: str | None) -> str | None:
    """Return the remedy if the folder `part` of a model has weights, but of another than the configured `variant`.

    `variant` is that of the configuration, such as `fp16`; `None` for files without a variant in their names.
    """
    found = {SHARD.sub("", file.stem).partition(".")[2] or None for file in part.glob("*.safetensors")}
    if not found or variant in found:
        return None
    if None in found:
        return f"Remove `variant: {variant}` from `models.diffusion`: the files of {part} have no variant"
    return f"Set `variant: {min(filter(None, found))}` in `models.diffusion`, the variant of the files in {part}"


def conversion_remedy(folder: Path) -> str | None:
    """Return the remedy if an image classifier of transformers has pickled weights only, which can run code."""
    if not any(folder.glob("*.bin")) or any(folder.glob("*.safetensors")):
        return None
    code = (
        "import sys; from transformers import AutoModelForImageClassification as Model; "
        "Model.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])"
    )
    command = shlex.join([".venv/bin/python", "-c", code, str(folder)])
    return f"Its .bin files are not read, since pickled weights can run code; to convert them to safetensors: {command}"


def weight_problems(
    part: str, info: Mapping[str, Iterable[Any]], *, may_lack: tuple[str, ...] = (), may_have: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the problems of weights that do not fit the architecture in `part`.

    `info` is the loading information of transformers or diffusers. Weights whose names start with one of `may_lack`
    may be missing or have another shape, those with one of `may_have` are not used.
    """
    found = {key: {item if isinstance(item, str) else item[0] for item in info[key]} for key in WEIGHT_PROBLEMS}
    for key, problem in WEIGHT_PROBLEMS.items():
        allowed = may_have if key == "unexpected_keys" else may_lack
        # Older files have no counts of training batches, and evaluation does not use them.
        names = sorted(name for name in found[key] if not name.startswith(allowed) and not name.endswith(BATCH_COUNT))
        if names:
            shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
            yield Problem(f"{part} {problem} ({len(names)}: {shown})")


def pixels_per_latent(vae: Mapping[str, Any]) -> int:
    """Return the edge in pixels of the square that a latent of the VAE stands for, from its configuration."""
    return int(2 ** (len(vae["block_out_channels"]) - 1))


def unet_problems(
    folder: Path, unet: Mapping[str, Any], vae: Mapping[str, Any], text_width: int, image_size: int
) -> Iterator[str]:
    """Yield the reasons why a UNet is not that of a Stable Diffusion 1.x or 2.x, or does not fit its other parts.

    `unet` and `vae` are configurations of diffusers, `text_width` the width of the text encoder's states, `image_size`
    the configured edge in pixels.
    """
    others = [f"{name}: {unet[name]}" for name in OTHER_CONDITIONS if unet.get(name) is not None]
    others += ["text_encoder_2/"] if (folder / "text_encoder_2").exists() else []
    if others:
        yield Problem(
            f"it needs other conditions than one text ({', '.join(others)}), as Stable Diffusion XL, an upscaler "
            "or a latent consistency model does"
        )
    latents = vae["latent_channels"]
    if (unet["in_channels"], unet["out_channels"]) != (latents, latents):
        yield Problem(
            f"unet/ maps {unet['in_channels']} channels to {unet['out_channels']}, but the latents of vae/ have "
            f"{latents} (inpainting models have 9)"
        )
    widths = unet["cross_attention_dim"]
    if not set(widths if isinstance(widths, list | tuple) else [widths]) <= {text_width}:
        yield Problem(f"unet/ reads text states of width {widths}, but those of text_encoder/ have {text_width}")
    factor = pixels_per_latent(vae)
    if image_size % factor:
        yield Problem(f"`image_size` is {image_size}, but vae/ needs a multiple of {factor}")


def trained_size_warning(unet: Mapping[str, Any], vae: Mapping[str, Any], image_size: int) -> str | None:
    """Return the warning that a UNet was trained with images of another edge in pixels than `image_size`.

    `unet` and `vae` are configurations of diffusers; one without the edge of its latents gives no warning.
    """
    edges = unet.get("sample_size")
    latents = {edges} if isinstance(edges, int) else set(edges or ())
    sizes = {edge * pixels_per_latent(vae) for edge in latents}
    if len(sizes) != 1 or image_size in sizes:
        return None
    (trained,) = sizes
    return (
        f"`models.diffusion.image_size`: {image_size}, but the model was trained with {trained} pixels; set it to "
        f"{trained} for the model's quality"
    )


def text_problems(tokenizer: Any, vocabulary: int) -> Iterator[str]:
    """Yield the problems of a CLIP tokenizer for a text encoder that knows `vocabulary` tokens."""
    if len(tokenizer) > vocabulary:
        yield Problem(f"tokenizer/ has {len(tokenizer)} tokens, but text_encoder/ knows {vocabulary}")
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    # CLIP's vocabulary has all bytes: no text is unknown. A tokenizer without its files loads with an empty vocabulary.
    tokens = tokenizer("a photo", add_special_tokens=False).input_ids
    if None in special or not tokens or tokenizer.unk_token_id in tokens:
        yield Problem("tokenizer/ has no vocabulary (vocab.json and merges.txt)")


def scheduler_problems(scheduler: Mapping[str, Any]) -> Iterator[str]:
    """Yield the reasons why the content of a scheduler's configuration file does not describe a diffusion by PNDM."""
    if "beta_schedule" not in scheduler:
        yield Problem("scheduler/ has no noise schedule (`beta_schedule`)")
    predicted = scheduler.get("prediction_type", "epsilon")
    if predicted not in ("epsilon", "v_prediction"):
        yield Problem(f"scheduler/ has the prediction type `{predicted}` instead of `epsilon` or `v_prediction`")
    if scheduler.get("rescale_betas_zero_snr"):
        yield Problem(
            "scheduler/ rescales its noise schedule to end in pure noise (`rescale_betas_zero_snr`), but PNDM does not"
        )


def image_size_problem(image_size: int, patch: int) -> str | None:
    """Return the problem of a vision transformer with patches of `patch` pixels, if it does not take the image size."""
    if image_size % patch == 0:
        return None
    below = image_size // patch * patch
    sizes = " or ".join(str(size) for size in (below, below + patch) if size)
    return (
        f"no support for images of {image_size} pixels: its patches have {patch}. Set `image_size` to a multiple of "
        f"{patch}, such as {sizes}"
    )

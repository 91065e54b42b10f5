"""Load each model as the jobs do, and run one image or text through it, on the CPU."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from diagen.config import Config
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, ModelSource
from diagen.config.relations import schedule_problems
from diagen.embeddings.word_groups import require_room
from diagen.errors import InputError, summary, wider_dtype
from diagen.files.model_parts import pixels_per_latent, trained_size_warning
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import Diffusion, encode_posteriors, encode_prompts, load_diffusion, tokenize
from diagen.preflight.gguf import open_gguf
from diagen.preflight.operations import Operations, count, count_diffusion, paper_operations, prompt_operations
from diagen.preflight.report import Report
from diagen.prompts.chat_template import check_chat_template
from diagen.schedules import TRAINED_TIMESTEPS

CPU = torch.device("cpu")
LATENTS = 8  # edge of the latents in the pass of Stable Diffusion: the UNet halves it three times


def check_models(config: Config, report: Report) -> Operations:
    """Load each model, run a small pass and count its operations; the paper's model if that fails."""
    operations = paper_operations(config)
    for name, model in config.models.sources().items():
        if not model.location.exists():
            if model.repository is not None:  # missing local paths are reported with the other missing files
                report.problems.append(
                    f"models.{name}: {model.location}, downloaded from {model.repository}, is missing; "
                    "run `.venv/bin/snakemake --cores 1 download_models` with the same --configfile"
                )
            continue
        print(f"checking models.{name}: {model.location}", file=sys.stderr, flush=True)
        try:
            operations = replace(operations, **_run_and_count(name, model, config, report))
        except InputError as error:
            text = str(error)
            report.problems.append(text if text.lstrip("`").startswith(f"models.{name}") else f"models.{name}: {text}")
            continue
        except Exception as error:  # a report without a line for this model would hide the others
            report.problems.append(f"models.{name}: {model.location} fails ({summary(error)}). Name another model")
            continue
        source = model.path or f"{model.repository} at {str(model.revision)[:12]}"
        report.facts.append(f"model          {name}: {source} loads")
    return operations


def _run_and_count(name: str, model: ModelSource, config: Config, report: Report) -> dict[str, float]:
    """TFLOP of the parts of a model, named as in `Operations`. Raises `InputError` if it cannot be loaded or run."""
    if isinstance(model, DiffusionModel):
        # A pass in float16 is slow on most CPUs; the float32 values of the weights are the same.
        on_cpu = {"dtype": "float32"} if model.dtype == "float16" else {}
        diffusion = load_diffusion(model.model_copy(update=on_cpu), CPU)
        report.problems += [*_words_without_room(config, diffusion), *_schedule_problems(config, diffusion)]
        run_diffusion(diffusion)
        if warning := trained_size_warning(diffusion.unet.config, diffusion.vae.config, model.image_size):
            report.warnings.append(warning)
        return count_diffusion(diffusion)
    if isinstance(model, FeatureModel):
        return {name: _run_image_model(name, load_feature_extractor(model, CPU), model.image_size)}
    if isinstance(model, BackboneModel):
        return {name: _run_image_model(name, load_backbone(model, CPU), config.downstream.image_size)}
    open_gguf(model.location)
    check_chat_template(model.location, "Write captions.")
    return {"prompt": prompt_operations(model.location.stat().st_size)}


def _words_without_room(config: Config, diffusion: Diffusion) -> list[str]:
    """List the problems of embeddings whose words have more vectors than the text encoder has places."""
    problems = []
    for name in config.used_blocks()["embeddings"]:
        try:
            require_room(diffusion.tokenizer, config.embeddings[name].vectors, f"embeddings.{name}")
        except InputError as error:
            problems.append(str(error))
    return problems


def _schedule_problems(config: Config, diffusion: Diffusion) -> Iterator[str]:
    """Yield the problems of schedules on a model that was trained with another number of timesteps than usual.

    With the usual number, the configuration was checked when it was read.
    """
    trained = diffusion.scheduler.config.num_train_timesteps
    if trained == TRAINED_TIMESTEPS:
        return
    for section, blocks in (("generators", config.generators), ("noise_ceilings", config.noise_ceilings)):
        for name, block in blocks.items():
            for key, problem in schedule_problems(block, trained):
                yield f"`{section}.{name}.{key}`: {problem}"


@torch.no_grad()
def run_diffusion(diffusion: Diffusion) -> None:
    """Encode a small image and a prompt, denoise once and decode. Raises `InputError` unless all results are finite."""
    edge = min(diffusion.image_size, LATENTS * pixels_per_latent(diffusion.vae.config))
    image = torch.rand(3, edge, edge, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = encode_posteriors(diffusion, [image], ["an image of random pixels"], 1)[0].to(diffusion.dtype)
    prompt = tokenize(diffusion.tokenizer, ["a photo"], ["<word>"], 1)
    states = encode_prompts(diffusion, prompt, torch.zeros(1, 1, diffusion.text_encoder.config.hidden_size))
    results = {
        "text_encoder/": states,
        "unet/": diffusion.unet(latents, 1, encoder_hidden_states=states.to(diffusion.dtype)).sample,
        "the decoder of vae/": diffusion.vae.decode(latents).sample,
    }
    for part, result in results.items():
        if not result.isfinite().all():
            raise InputError(
                f"models.diffusion: {part} computes values that are not finite in "
                f"{str(diffusion.dtype).removeprefix('torch.')}. {wider_dtype(diffusion.dtype)}"
            )


def _run_image_model(name: str, network: nn.Module, size: int) -> float:
    """TFLOP of a pass with one image. Raises `InputError` unless it gives finite features `[1, D]`."""
    results: list[object] = []
    try:
        tflop = count(lambda image: results.append(network(image)), torch.zeros(1, 3, size, size))
    except Exception as error:  # whatever fails here fails in the jobs
        raise InputError(
            f"models.{name}: no support for images of {size} pixels ({summary(error)}). Set another `image_size`, or "
            "name another model"
        ) from error
    (features,) = results
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != 1:
        found = f"a tensor {list(features.shape)}" if isinstance(features, Tensor) else type(features).__name__
        raise InputError(
            f"models.{name}: it returns {found} for an image instead of features [1, D]. Name another model"
        )
    if not features.isfinite().all():
        raise InputError(f"models.{name}: its features are not finite. Restore its weights, or name another model")
    return tflop

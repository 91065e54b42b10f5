"""Conditions inside blocks, between blocks, and on the files that the configuration names.

Functions that take `sections` get those that parsed: an invalid section is `None` or lacks its invalid blocks. All
yield problems with key and remedy, so that they can be reported together.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Protocol

from diagen.config.base import Block
from diagen.config.blocks import Generator, Method, NoiseCeiling, Weighting
from diagen.config.datasets import DrawnWorld, ImageFolder, Photos
from diagen.config.experiment import references
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, ModelSource
from diagen.config.prompt_sets import (
    ComposedPrompts,
    EndpointPrompts,
    LlamaPrompts,
    PromptTable,
    asks_llama,
)
from diagen.schedules import TRAINED_TIMESTEPS, kept_steps

Sections = Mapping[str, Any]
Problems = Iterator[tuple[str, str]]
"""A key of a block, and its problem with the remedy."""
STORE = "store"  # beside the experiments' folders
TEMPLATED = LlamaPrompts | ComposedPrompts | EndpointPrompts
FILE_MODELS = LlamaModel | BackboneModel
MODEL_FORMS = {
    DiffusionModel: ("unet", "not a folder in the layout of diffusers, with unet/ in it"),
    LlamaModel: ("", "not a GGUF file"),
    FeatureModel: ("hubconf.py", "not a folder with a hubconf.py, as DINOv2's"),
    BackboneModel: ("config.json", "neither a folder of transformers, with a config.json, nor a weight file"),
}
"""By kind of model: what its folder must contain (empty: it is no folder), and the problem of another path."""
FROM_HERE = "give its path relative to the folder where Snakemake starts"
SHIPPED = "use one of config/instructions/"
PATHS: tuple[tuple[Any, str, str, str], ...] = (
    (Photos, "root", "folder", FROM_HERE),
    (ImageFolder, "split_table", "file", FROM_HERE),
    (PromptTable, "file", "file", "give a CSV file with the columns class and prompt"),
    (LlamaPrompts | EndpointPrompts, "instruction", "file", SHIPPED),
    (ComposedPrompts, "adjectives", "file", SHIPPED),
    (ComposedPrompts, "settings", "file", SHIPPED),
    (ModelSource, "path", "file or folder", "give the path of the model's files"),
)
"""Kind of block, its key that names a path, what must be there, and the remedy."""
# Unlike pathlib, os.path accepts names that are too long.
FORMS = {"folder": os.path.isdir, "file": os.path.isfile, "file or folder": os.path.exists}


def problems_between(sections: Sections, mapping: Mapping[str, Any]) -> set[str]:
    """Problems inside and between blocks. `mapping` is the raw configuration, which has the names of invalid blocks."""
    found = [
        (f"{place}.{key}", problem)
        for place, block in _blocks(sections)
        for kind, check in CHECKS.items()
        if isinstance(block, kind)
        for key, problem in check(block)
    ]
    found += [*_unknown_references(sections, mapping), *_foreign_ceilings(sections), *_shared_folders(sections)]
    found += _folds(sections)
    pool, shots = sections["guide_pool"], sections["shots"]
    most = max(shots) if isinstance(shots, tuple) else 0
    if pool is not None and most > pool:
        found.append(("guide_pool", f"{pool} images are fewer than {most} shots; raise it to at least {most}"))
    asked = any(asks_llama(block) for block in (sections["prompts"] or {}).values())
    if asked and sections["models"] is not None and sections["models"].llama is None:
        found.append(("models.llama", "missing, but `prompts` needs a language model; name a GGUF file"))
    return {f"`{key}`: {problem}" for key, problem in found}


def missing_files(sections: Sections) -> set[str]:
    """Files and folders that the configuration names and that are missing or unusable; not those to be downloaded."""
    problems = set()
    for place, block in _blocks(sections):
        for kind, key, form, remedy in PATHS:
            path = getattr(block, key) if isinstance(block, kind) else None
            if path is not None:
                is_there = FORMS[form](path)
                problem = _content_problem(block, path) if is_there else f"no {form} {path}; {remedy}"
                problems |= {f"`{place}.{key}`: {problem}"} if problem else set()
    return problems


def _blocks(sections: Sections) -> Iterator[tuple[str, Block]]:
    """Every named block and every model, with its dotted key."""
    for section, value in sections.items():
        entries = value.items() if isinstance(value, dict) else value if isinstance(value, Block) else ()
        yield from ((f"{section}.{name}", block) for name, block in entries if isinstance(block, Block))


# ---------------------------------------------------------------- inside a block


class Sampled(Protocol):
    """What has a schedule and a strength: generators, noise ceilings, settings of programs."""

    @property
    def inference_steps(self) -> int:
        """Steps of the schedule before `strength` shortens it."""

    @property
    def strength(self) -> float:
        """Strength of img2img in (0, 1]."""


def is_attainable(steps: int, strength: float, trained: int = TRAINED_TIMESTEPS) -> bool:
    """Whether a schedule of `steps` in 1..`trained` has the timestep at which a `strength` in (0, 1] starts.

    PNDM uses the last two steps together with the timestep after them, for which the noise schedule has no room if
    `steps` equals `trained`.
    """
    kept = kept_steps(steps, strength, trained)
    return 1 <= kept <= steps and not (steps == trained > 1 and kept >= steps - 1)


def schedule_problems(block: Sampled, trained: int = TRAINED_TIMESTEPS) -> Problems:
    """Problems of a schedule of a model that was trained with `trained` timesteps."""
    steps, strength = block.inference_steps, block.strength
    if steps > trained:
        yield "inference_steps", f"the model has {trained} timesteps, and a schedule at most as many; lower it"
    elif kept_steps(steps, strength, trained) < 1:
        yield "strength", f"{strength} of {steps} steps leaves no step to run; raise `strength` or `inference_steps`"
    elif not is_attainable(steps, strength, trained):
        fewer = next((count for count in range(steps - 1, 0, -1) if is_attainable(count, strength, trained)), 1)
        yield (
            "inference_steps",
            f"a schedule of {steps} steps, {trained // steps} of {trained} timesteps apart, cannot start at timestep "
            f"{strength * trained:g}, where strength {strength} starts; set {fewer}",
        )


def _generator(block: Generator) -> Problems:
    if block.embedding is None and any(block.noise_levels):
        yield "noise_levels", "noise is added to learned words; set `embedding` or remove `noise_levels`"
    for key, value, default in (("noise_draw", block.noise_draw, "image"), ("word_match", block.word_match, "exact")):
        if value != default and not block.noise_levels:
            yield key, "only valid with noise; set `noise_levels` or remove this key"
    if block.negative_prompt and block.guidance_scale == 1:
        yield "negative_prompt", "has no effect at guidance scale 1; raise `guidance_scale` or remove this key"
    if block.noise_ceiling is None and block.ceiling_use != "scale":
        yield "ceiling_use", "only valid with a noise ceiling; set `noise_ceiling` or remove this key"
    if block.noise_ceiling is not None and not any(block.noise_levels):
        yield "noise_ceiling", "there is no noise to fit; set `noise_levels` above 0 or remove this key"


def _weighting(block: Weighting) -> Problems:
    if block.transform == "threshold" and block.threshold is None:
        yield "threshold", "missing; set the lowest confidence that `transform: threshold` accepts, such as 0.5"
    if block.transform != "threshold" and block.threshold is not None:
        yield "threshold", f"only valid with `transform: threshold`, not with `{block.transform}`; remove this key"


def _method(block: Method) -> Problems:
    if block.generator is not None and block.synthetic_probability is None:
        yield "synthetic_probability", "missing; set how often a training image is synthetic (DIAGen: 0.7)"
    for key in ("weighting", "synthetic_probability"):
        if block.generator is None and getattr(block, key):
            yield key, "only valid with a generator; set `generator` or remove this key"


def _source(block: ModelSource) -> Problems:
    if block.repository is not None and not re.fullmatch(r"[0-9a-f]{40}", str(block.revision)):
        yield "revision", f"`{block.revision}` is not a commit; set its 40 digits, since branches and tags move"
    if block.repository is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", block.repository):
        yield "repository", f"`{block.repository}` is not a hub id; write it as `owner/name`"


def _model_file(block: LlamaModel | BackboneModel) -> Problems:
    file = PurePath(block.file or "")
    if block.file is not None and block.path is not None:
        yield "file", "only valid with a `repository`; remove it and let `path` name the file"
    if file.is_absolute() or ".." in file.parts:
        yield "file", f"{file} is outside the repository; set the name of a file in it"
    if isinstance(block, LlamaModel) and block.repository is not None and block.file is None:
        yield "file", "missing; set the name of the GGUF file in the repository"


def _features(block: FeatureModel) -> Problems:
    weights = block.weights or ""
    if weights and block.repository is not None and not weights.startswith(("https://", "http://")):
        yield "weights", f"{weights} is not a URL; set the download URL of the weights"
    if block.path is not None and "/" in weights:
        yield "weights", f"{weights} is not a file name; put the file into {block.path} and set its name"


CHECKS: dict[Any, Callable[[Any], Problems]] = {
    Generator | NoiseCeiling: schedule_problems,
    Generator: _generator,
    Weighting: _weighting,
    Method: _method,
    ModelSource: _source,
    LlamaModel | BackboneModel: _model_file,
    FeatureModel: _features,
}

# ---------------------------------------------------------------- between blocks


def _unknown_references(sections: Sections, mapping: Mapping[str, Any]) -> Problems:
    for place, block in _blocks(sections):
        for key, section, name in references(block):
            named = mapping.get(section)
            known = [str(other) for other in named] if isinstance(named, Mapping) else []
            if name not in known:
                remedy = f"known: {', '.join(known)}" if known else f"add a section `{section}`"
                yield f"{place}.{key}", f"no block `{name}` in `{section}`; {remedy}"


def _foreign_ceilings(sections: Sections) -> Problems:
    """Noise ceilings of other words than those of the generator."""
    for name, generator in (sections["generators"] or {}).items():
        ceiling = (sections["noise_ceilings"] or {}).get(generator.noise_ceiling or "")
        if ceiling is not None and generator.embedding not in (None, ceiling.embedding):
            found = f"`{generator.noise_ceiling}` belongs to the words of `{ceiling.embedding}`"
            yield f"generators.{name}.noise_ceiling", f"{found}; name a noise ceiling of `{generator.embedding}`"


def _shared_folders(sections: Sections) -> Problems:
    """Folders with two uses."""
    if sections["experiment"] == STORE:
        yield "experiment", f"`results/{STORE}` contains the images of all experiments; choose another name"
    drawn: dict[str, str] = {}
    for name, dataset in (sections["datasets"] or {}).items():
        if isinstance(dataset, DrawnWorld):
            other = drawn.setdefault(os.path.normpath(dataset.root), name)
            if other != name:
                yield f"datasets.{name}.root", f"`{other}` is drawn into {dataset.root} as well; name another folder"


def _folds(sections: Sections) -> Problems:
    """Cross-validation of datasets with test images, and leaving one out of several datasets at once."""
    evaluation, datasets = sections["evaluation"], sections["datasets"] or {}
    if evaluation is None:
        return
    for name, dataset in datasets.items():
        if not (isinstance(dataset, ImageFolder) and dataset.test is None):
            remedy = "set `test: none` there" if isinstance(dataset, ImageFolder) else "remove `evaluation`"
            yield "evaluation", f"only valid with datasets without test images, and `{name}` has some; {remedy}"
    if evaluation.folds == "leave_one_out" and len(datasets) > 1:
        yield "evaluation.folds", "`leave_one_out` counts the images of one dataset; set a number, or name one dataset"


# ---------------------------------------------------------------- files


def _content_problem(block: Block, path: str) -> str | None:
    """What is wrong with a file or folder that exists."""
    if isinstance(block, ModelSource):  # all files below the path will be read, which may be a whole disk
        part, problem = MODEL_FORMS[type(block)]
        in_folder = part != "" and os.path.exists(os.path.join(path, part))
        is_right = in_folder if os.path.isdir(path) else isinstance(block, FILE_MODELS)
        return None if is_right else f"{path} is {problem}; give the path of one"
    if not isinstance(block, TEMPLATED):
        return None
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return f"{path} is not UTF-8 text; save it as UTF-8"
    except PermissionError as error:
        return f"{path} cannot be read ({error.strerror}); make it readable: {shlex.join(['chmod', 'u+r', path])}"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}); give the path of a text file on a disk that works"
    lacking = [field for field in ("{num_prompts}", "{class_name}") if field not in text]
    return f"{path} lacks {' and '.join(lacking)}; insert it where the number or the name belongs" if lacking else None

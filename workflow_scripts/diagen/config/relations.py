"""What must hold between blocks of the configuration, and between it and the files that it names.

Every function takes the sections that parsed (a section that is wrong in itself is `None` or lacks the wrong blocks)
and returns sentences, so that all problems can be told together.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagen.config.blocks import Generator, Method
from diagen.config.datasets import DrawnWorld, ImageFolder
from diagen.config.models import DiffusionModel, LlamaModel, ModelSource

Sections = Mapping[str, Any]


def problems_between(sections: Sections, mapping: Mapping[str, Any]) -> set[str]:
    """Problems between blocks. `mapping` is the raw configuration: a block that is there but wrong still exists."""
    return (
        _unknown_references(sections, mapping)
        | _generator_problems(sections)
        | _method_problems(sections)
        | _split_problems(sections)
        | _model_problems(sections)
    )


def missing_files(sections: Sections) -> set[str]:
    """Files and folders that the configuration names and that aren't there."""
    problems = set()
    for name, dataset in (sections["datasets"] or {}).items():
        if not isinstance(dataset, DrawnWorld) and not Path(dataset.root).is_dir():
            problems.add(f"`datasets.{name}.root`: no folder {dataset.root}; give the path from where snakemake starts")
        table = dataset.split_table if isinstance(dataset, ImageFolder) else None
        if table is not None and not Path(table).is_file():
            problems.add(f"`datasets.{name}.split_table`: no file {table}; give the path from where snakemake starts")
    for name, prompt_set in (sections["prompts"] or {}).items():
        key = f"`prompts.{name}.instruction`"
        if not Path(prompt_set.instruction).is_file():
            problems.add(f"{key}: no file {prompt_set.instruction}; the shipped ones are in config/instructions/")
            continue
        try:
            text = Path(prompt_set.instruction).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            problems.add(f"{key}: {prompt_set.instruction} is no UTF-8 text; save it as such")
            continue
        lacking = [field for field in ("{num_prompts}", "{class_name}") if field not in text]
        if lacking:
            problems.add(f"{key}: {prompt_set.instruction} lacks {' and '.join(lacking)}; write it where it belongs")
    for key, model in _named_models(sections):
        if model.path is not None and not Path(model.path).exists():
            problems.add(f"`models.{key}.path`: no file or folder {model.path}; give the path of the model's files")
    return problems


def _named_models(sections: Sections) -> list[tuple[str, ModelSource]]:
    models = sections["models"]
    return [(name, model) for name, model in models if model is not None] if models is not None else []


def _unknown_references(sections: Sections, mapping: Mapping[str, Any]) -> set[str]:
    references = {
        "generators": {"embedding": "embeddings", "prompts": "prompts"},
        "weightings": {"guide": "guides"},
        "methods": {"generator": "generators", "weighting": "weightings"},
    }
    problems = set()
    for section, fields in references.items():
        for name, block in (sections[section] or {}).items():
            for field, target in fields.items():
                wanted = getattr(block, field)
                named = mapping.get(target)
                known = [str(key) for key in named] if isinstance(named, Mapping) else []
                if wanted is not None and wanted not in known:
                    remedy = f"known: {', '.join(known)}" if known else f"add a section `{target}`"
                    problems.add(f"`{section}.{name}.{field}`: no block `{wanted}` in `{target}`; {remedy}")
    return problems


def _generator_problems(sections: Sections) -> set[str]:
    problems = set()
    for name, generator in (sections["generators"] or {}).items():
        if _kept_steps(generator) < 1:
            problems.add(
                f"`generators.{name}.strength`: {generator.strength} of {generator.inference_steps} steps leaves no "
                "step to do; raise `strength` or `inference_steps`"
            )
        if len(set(generator.noise_levels)) != len(generator.noise_levels):
            problems.add(f"`generators.{name}.noise_levels`: a level stands there twice; name each once")
        if any(not math.isfinite(level) for level in generator.noise_levels):
            problems.add(f"`generators.{name}.noise_levels`: a level isn't finite; give standard deviations")
    return problems


def _kept_steps(generator: Generator) -> int:
    """Steps of the schedule that img2img does at this strength."""
    return min(int(generator.inference_steps * generator.strength), generator.inference_steps)


def _method_problems(sections: Sections) -> set[str]:
    problems = set()
    for name, method in (sections["methods"] or {}).items():
        key = f"`methods.{name}"
        problems |= {f"{key}.{problem}" for problem in _method_conflicts(method)}
    return problems


def _method_conflicts(method: Method) -> set[str]:
    if method.generator is None:
        without = {"weighting": method.weighting, "synthetic_probability": method.synthetic_probability or None}
        return {
            f"{field}`: means nothing without a generator; name a `generator` or leave it out"
            for field, value in without.items()
            if value is not None
        }
    if method.synthetic_probability is None:
        return {"synthetic_probability`: missing; say how often a training image is synthetic (DIAGen: 0.7)"}
    return set()


def _split_problems(sections: Sections) -> set[str]:
    problems = set()
    for name in ("seeds", "shots"):
        values = sections[name] or ()
        if len(set(values)) != len(values):
            problems.add(f"`{name}`: a value stands there twice; name each once")
    pool, shots = sections["guide_pool"], sections["shots"]
    if pool is not None and shots and max(shots) > pool:
        problems.add(f"`guide_pool`: {pool} images can't hold {max(shots)} shots; raise it to at least {max(shots)}")
    return problems


def _model_problems(sections: Sections) -> set[str]:
    problems = set()
    models = dict(_named_models(sections))
    if sections["models"] is not None and sections["prompts"] and "llama" not in models:
        problems.add("`models.llama`: missing, but `prompts` needs a language model; name a GGUF file")
    llama = models.get("llama")
    if isinstance(llama, LlamaModel) and llama.repository is not None and llama.file is None:
        problems.add("`models.llama.file`: missing; name the GGUF file inside the repository")
    diffusion = models.get("diffusion")
    if isinstance(diffusion, DiffusionModel) and diffusion.image_size % 8:
        problems.add(f"`models.diffusion.image_size`: {diffusion.image_size} is no multiple of 8; choose one")
    return problems

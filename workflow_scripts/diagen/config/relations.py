"""What must hold between blocks of the configuration, and between it and the files that it names.

Every function takes the sections that parsed (a section that is wrong in itself is `None` or lacks the wrong blocks)
and returns sentences, so that all problems can be told together.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diagen.config.blocks import Method
from diagen.config.datasets import DrawnWorld, ImageFolder
from diagen.config.generator_relations import generator_problems
from diagen.config.models import DiffusionModel, FeatureModel, LlamaModel, ModelSource
from diagen.config.prompt_sets import PromptSet, PromptTable, asks_llama, prompt_files

Sections = Mapping[str, Any]
STORE = "store"  # beside the experiments' folders
FORMS = {
    "diffusion": ("unet", "folder in the layout of diffusers, with unet/ in it"),
    "llama": (None, "GGUF file"),
    "features": ("hubconf.py", "folder with a hubconf.py, as DINOv2's"),
    "backbone": ("config.json", "folder of transformers, with a config.json, nor a file of weights"),
}
"""What a local model of each kind is: a name that must stand in its folder, and how that is called."""
SINGLE_FILES = ("llama", "backbone")


def problems_between(sections: Sections, mapping: Mapping[str, Any]) -> set[str]:
    """Problems between blocks. `mapping` is the raw configuration: a block that is there but wrong still exists."""
    return (
        _unknown_references(sections, mapping)
        | generator_problems(sections)
        | _weighting_problems(sections)
        | _method_problems(sections)
        | _split_problems(sections)
        | _model_problems(sections)
        | _folder_problems(sections)
    )


def missing_files(sections: Sections) -> set[str]:
    """Files and folders that the configuration names and that aren't there. Models of a hub may still be fetched."""
    problems = set()
    for name, dataset in (sections["datasets"] or {}).items():
        if not isinstance(dataset, DrawnWorld) and not os.path.isdir(dataset.root):
            problems.add(f"`datasets.{name}.root`: no folder {dataset.root}; give the path from where snakemake starts")
        table = dataset.split_table if isinstance(dataset, ImageFolder) else None
        if table is not None and not os.path.isfile(table):
            problems.add(f"`datasets.{name}.split_table`: no file {table}; give the path from where snakemake starts")
    for name, prompt_set in (sections["prompts"] or {}).items():
        problems |= _prompt_file_problems(f"prompts.{name}", prompt_set)
    for key, model in _named_models(sections):
        problem = _model_path_problem(key, model.path) if model.path is not None else None
        if problem is not None:
            problems.add(f"`models.{key}.path`: {problem}")
    return problems


def _model_path_problem(key: str, path: str) -> str | None:
    """Why the path can't be that of the model: all below it is read, which may be a whole disk."""
    if not os.path.exists(path):
        return f"no file or folder {path}; give the path of the model's files"
    part, form = FORMS[key]
    if os.path.isdir(path):
        is_right = part is not None and os.path.exists(os.path.join(path, part))
    else:
        is_right = key in SINGLE_FILES
    return None if is_right else f"{path} is no {form}; give the path of one"


def _prompt_file_problems(key: str, prompt_set: PromptSet) -> set[str]:
    if isinstance(prompt_set, PromptTable):
        remedy = "give a CSV file with the columns class and prompt"
        return set() if os.path.isfile(prompt_set.file) else {f"`{key}.file`: no file {prompt_set.file}; {remedy}"}
    problems = {_template_problem(f"`{key}.{field}`", file) for field, file in prompt_files(prompt_set).items()}
    return {problem for problem in problems if problem is not None}


def _template_problem(key: str, file: str) -> str | None:
    """What is wrong with a template that a language model is asked with."""
    if not os.path.isfile(file):  # unlike that of pathlib, it is silent about names that are too long
        return f"{key}: no file {file}; the shipped ones are in config/instructions/"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return f"{key}: {file} is no UTF-8 text; save it as such"
    except OSError as error:
        return f"{key}: {file} can't be read ({error.strerror}); check its permissions"
    lacking = [field for field in ("{num_prompts}", "{class_name}") if field not in text]
    return f"{key}: {file} lacks {' and '.join(lacking)}; write it where it belongs" if lacking else None


def _named_models(sections: Sections) -> list[tuple[str, ModelSource]]:
    models = sections["models"]
    return [(name, model) for name, model in models if model is not None] if models is not None else []


def _unknown_references(sections: Sections, mapping: Mapping[str, Any]) -> set[str]:
    references = {
        "noise_ceilings": {"embedding": "embeddings", "guide_classifier": "guide_classifiers"},
        "generators": {"embedding": "embeddings", "prompts": "prompts", "noise_ceiling": "noise_ceilings"},
        "weightings": {"guide_classifier": "guide_classifiers"},
        "methods": {"generator": "generators", "weighting": "weightings", "recipe": "recipes"},
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


def _weighting_problems(sections: Sections) -> set[str]:
    problems = set()
    for name, weighting in (sections["weightings"] or {}).items():
        key = f"`weightings.{name}.threshold`"
        if weighting.transform == "threshold" and weighting.threshold is None:
            problems.add(f"{key}: missing; say which confidence `transform: threshold` asks for, such as 0.5")
        if weighting.transform != "threshold" and weighting.threshold is not None:
            problems.add(f"{key}: means nothing with `transform: {weighting.transform}`; leave it out")
    return problems


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


def _folder_problems(sections: Sections) -> set[str]:
    """Folders that two things would be written into."""
    problems = set()
    if sections["experiment"] == STORE:
        problems.add(f"`experiment`: `results/{STORE}` keeps the images of all experiments; choose another name")
    drawn: dict[str, str] = {}
    for name, dataset in (sections["datasets"] or {}).items():
        if isinstance(dataset, DrawnWorld):
            other = drawn.setdefault(os.path.normpath(dataset.root), name)
            if other != name:
                problems.add(f"`datasets.{name}.root`: `{other}` is drawn into {dataset.root} too; name another folder")
    return problems


def _model_problems(sections: Sections) -> set[str]:
    problems = set()
    models = dict(_named_models(sections))
    asked = any(asks_llama(block) for block in (sections["prompts"] or {}).values())
    if sections["models"] is not None and asked and "llama" not in models:
        problems.add("`models.llama`: missing, but `prompts` needs a language model; name a GGUF file")
    llama = models.get("llama")
    if isinstance(llama, LlamaModel) and llama.repository is not None and llama.file is None:
        problems.add("`models.llama.file`: missing; name the GGUF file inside the repository")
    for name, model in models.items():
        problems |= {f"`models.{name}.{problem}" for problem in _source_problems(model)}
    diffusion = models.get("diffusion")
    if isinstance(diffusion, DiffusionModel) and diffusion.image_size % 8:
        problems.add(f"`models.diffusion.image_size`: {diffusion.image_size} is no multiple of 8; choose one")
    return problems


def _source_problems(model: ModelSource) -> set[str]:
    """What is wrong with where a model comes from; each begins with the key inside the model's block."""
    problems = set()
    if model.repository is not None:
        if not re.fullmatch(r"[0-9a-f]{40}", str(model.revision)):
            problems.add(
                f"revision`: `{model.revision}` is no commit; give its 40 digits, since branches and tags move"
            )
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", model.repository):
            problems.add(f"repository`: `{model.repository}` is no hub id; give it as `owner/name`")
    file = getattr(model, "file", None)
    if file is not None and model.path is not None:
        problems.add("file`: means nothing with a local `path`; let `path` name the file itself")
    if file is not None and (Path(file).is_absolute() or ".." in Path(file).parts):
        problems.add(f"file`: {file} leads out of the repository; give the file's name inside it")
    if isinstance(model, FeatureModel) and model.weights is not None:
        is_url = model.weights.startswith(("https://", "http://"))
        if model.repository is not None and not is_url:
            problems.add(f"weights`: {model.weights} is no URL; give the one that the weights are fetched from")
        if model.path is not None and "/" in model.weights:
            problems.add(f"weights`: {model.weights} is no file's name; put the file into {model.path} and name it")
    return problems

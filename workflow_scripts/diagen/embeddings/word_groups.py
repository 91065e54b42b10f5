"""The words of a cell: learned in groups of classes, each group saved in the store."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from diagen import images
from diagen.cells import Cell
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.data.shots_file import Shot
from diagen.embeddings import inversion
from diagen.embeddings.inversion import encode_classes, learn_words, recomputed_activations
from diagen.embeddings.step_draws import TEMPLATES
from diagen.embeddings.words_file import LearnedWord, write_words
from diagen.errors import InputError
from diagen.files.store_layout import checkpoint_of, words_path
from diagen.images import load_image
from diagen.models.diffusion import Diffusion, load_diffusion
from diagen.runtime.execution import find_dtype
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.gpu_memory import device_gb, shrink_when_full
from diagen.runtime.made_with import torch_record
from diagen.runtime.memory_plan import Passes, plan_passes
from diagen.runtime.shards import of_shard
from diagen.seeds import stable_hash

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

WORD_SOURCES = (Path(inversion.__file__), Path(images.__file__))
"""The modules that decide learned words: a change of their code renames every group."""


@dataclass(frozen=True)
class ClassGuides:
    """A class with the paths and SHA-256 of its guide images, in the order of their numbers."""

    class_name: str
    paths: tuple[str, ...]
    sha256: tuple[str, ...]


def group_classes(shots: Iterable[Shot], words_together: int) -> list[list[ClassGuides]]:
    """Divide the classes of a cell, in the order of their names, into groups of one size, at most `words_together`.

    All batches of a cell have one shape, so the bits of a word depend neither on the shards nor on its group: a short
    last group repeats its last class.
    """
    guides: dict[str, list[tuple[int, str, str]]] = {}
    for shot in shots:
        if shot.guide is not None:
            guides.setdefault(shot.class_name, []).append((shot.guide, shot.path, shot.sha256))
    classes = []
    for name, rows in sorted(guides.items()):
        _, paths, hashes = zip(*sorted(rows), strict=True)
        classes.append(ClassGuides(name, paths, hashes))
    if not classes:
        raise InputError("shots.csv: no guide images. Delete the file and run Snakemake again")
    count = -(-len(classes) // words_together)
    size = -(-len(classes) // count)
    groups = [classes[start : start + size] for start in range(0, len(classes), size)]
    groups[-1] += [groups[-1][-1]] * (size - len(groups[-1]))
    return groups


def group_path(store: Path, group: Sequence[ClassGuides], cell: Cell, settings: LearnEmbeddingsSettings) -> Path:
    """Return the file of a group's words in the store, named by a hash of everything that decides them.

    The precision in which images are generated is not part of it, nor is the place of the model's files. `dtype: auto`
    is part of it as such: the device, which decides its precision, renames no word.
    """
    code, model = fingerprint(*WORD_SOURCES), settings.diffusion
    classes = [part for item in group for part in (item.class_name, *item.sha256)]
    learning = (settings.embedding.model_dump_json(), model.identity, model.image_size)
    return words_path(store, stable_hash(code, *learning, *cell, *classes))


def plan_group(diffusion: Diffusion, words: int, settings: LearnEmbeddingsSettings) -> tuple[Passes, str]:
    """Plan the passes in which `words` words are learned on the model's device, and their precision."""
    dtype = find_dtype(settings.embedding.dtype, diffusion.device)
    parts = (diffusion.unet, diffusion.text_encoder, diffusion.vae)
    weights = sum(weight.numel() * weight.element_size() for part in parts for weight in part.parameters())
    passes = plan_passes(
        words * settings.embedding.batch,
        dtype=dtype,
        image_size=diffusion.image_size,
        weights_gb=weights / 1e9,
        memory_gb=device_gb(diffusion.device),
    )
    return passes, dtype


def learn_group(
    diffusion: Diffusion,
    group: Sequence[ClassGuides],
    path: Path,
    cell: Cell,
    settings: LearnEmbeddingsSettings,
    micro_batch: int,
) -> None:
    """Learn the words of a group into `path`; an interrupted run continues from its checkpoint.

    `micro_batch` is that of encoding the guide images; the passes of learning are planned for the device. When the GPU
    runs out of memory, activations are recomputed, which changes no bit and continues from the checkpoint; then the
    passes are halved, and the group starts again: its record has the rows per pass that all its steps had.
    Raises `InputError` when a single row does not fit, or with class, step and precision when a value is not finite.
    """
    photos = {item.class_name: map(load_image, map(Path, item.paths)) for item in group}
    encoded = encode_classes(diffusion, photos, cell, crop=settings.embedding.crop, micro_batch=micro_batch)
    by_name = {item.class_name: item for item in encoded}
    classes = [by_name[item.class_name] for item in group]  # a short group repeats its last class
    checkpoint = checkpoint_of(path)
    planned, dtype = plan_group(diffusion, len(group), settings)
    rows = len(group) * settings.embedding.batch
    print(f"learning {len(group)} words in {dtype}, {rows} rows per step, with {planned}", file=sys.stderr, flush=True)

    def learn(passes: Passes) -> tuple[list[LearnedWord], int]:
        with recomputed_activations(diffusion.unet, passes.recompute):
            words = learn_words(diffusion, classes, settings.embedding, checkpoint, passes.micro_batch)
        return words, passes.micro_batch

    try:
        words, row_batch = shrink_when_full(planned, Passes.smaller, str, learn)
    except FloatingPointError as error:
        raise InputError(str(error)) from None
    packages = ("torch", "diffusers", "transformers")
    made = torch_record(packages, diffusion.device, micro_batch=row_batch, dtype=dtype)
    unique = {word.class_name: replace(word, made_with=made) for word in words}
    write_words(list(unique.values()), path)
    checkpoint.unlink(missing_ok=True)


def require_room(tokenizer: "CLIPTokenizer", vectors: int, block: str = "embeddings.<name>") -> None:
    """Raise `InputError` for `block` if a word of `vectors` vectors does not fit into all prompts of the inversion."""
    words = max(len(tokenizer(template.format(""), add_special_tokens=False).input_ids) for template in TEMPLATES)
    most = tokenizer.model_max_length - 2 - words
    if vectors > most:
        raise InputError(
            f"{block}.vectors: {vectors} vectors and {words} words of a prompt exceed the {most + words} places of "
            f"the text encoder. Set it to at most {most}"
        )


def learn_cell(
    shots: Iterable[Shot],
    cell: Cell,
    settings: LearnEmbeddingsSettings,
    store: Path,
    *,
    words_together: int,
    shards: int,
    shard: int | None,
    device: torch.device,
    micro_batch: int,
) -> list[Path]:
    """Learn the words of a cell, or those of one shard, group by group into the store.

    Returns the files of all groups of the cell, which exist when all shards have ended.
    """
    groups = group_classes(shots, words_together)
    paths = [group_path(store, group, cell, settings) for group in groups]
    own = of_shard(list(zip(groups, paths, strict=True)), range(len(groups)), shards, shard)
    if missing := [(group, path) for group, path in own if not path.is_file()]:
        diffusion = load_diffusion(settings.diffusion, device)
        require_room(diffusion.tokenizer, settings.embedding.vectors)
        for group, path in missing:
            learn_group(diffusion, group, path, cell, settings, micro_batch)
    return paths

"""The words of a cell: groups of classes that are learned together, kept in the store, and put into one file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from diagen import images
from diagen.cells import Cell
from diagen.config import DiffusionModel
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.data.shots_file import Shot
from diagen.embeddings import inversion
from diagen.embeddings.inversion import encode_class, learn_words
from diagen.embeddings.words_file import write_words
from diagen.errors import InputError
from diagen.files.store_layout import checkpoint_of, words_path
from diagen.images import load_image
from diagen.models.diffusion import load_diffusion
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.gpu_memory import REMEDY, explain_full_memory
from diagen.runtime.made_with import torch_record
from diagen.runtime.shards import of_shard
from diagen.seeds import stable_hash

WORD_SOURCES = (Path(inversion.__file__), Path(images.__file__))
"""The modules that decide learned words: a change of their code renames every group."""


@dataclass(frozen=True)
class ClassGuides:
    """A class with the paths and SHA-256 of its guide images, in the order of their numbers."""

    class_name: str
    paths: tuple[str, ...]
    sha256: tuple[str, ...]


def group_classes(shots: Iterable[Shot], words_together: int) -> list[list[ClassGuides]]:
    """The classes of a cell in groups of one size, at most `words_together`, in the order of their names.

    All batches of a cell have one shape, so that a word's bits depend neither on the shards nor on which group it is
    in: a last group that is short is filled up by repeating its last class.
    """
    guides: dict[str, list[Shot]] = {}
    for shot in shots:
        if shot.role == "guide":
            guides.setdefault(shot.class_name, []).append(shot)
    classes = []
    for name, rows in sorted(guides.items()):
        rows = sorted(rows, key=lambda row: row.guide)
        classes.append(ClassGuides(name, tuple(row.path for row in rows), tuple(row.sha256 for row in rows)))
    count = -(-len(classes) // words_together)
    size = -(-len(classes) // count)
    groups = [classes[start : start + size] for start in range(0, len(classes), size)]
    groups[-1] += [groups[-1][-1]] * (size - len(groups[-1]))
    return groups


def group_path(store: Path, group: Sequence[ClassGuides], cell: Cell, settings: LearnEmbeddingsSettings) -> Path:
    """The file of a group's words in the store, named by a hash of everything that decides them."""
    code = fingerprint(*WORD_SOURCES)
    classes = [part for item in group for part in (item.class_name, *item.sha256)]
    return words_path(store, stable_hash(code, settings.model_dump_json(), *cell, *classes))


def learn_group(
    group: Sequence[ClassGuides],
    path: Path,
    cell: Cell,
    settings: LearnEmbeddingsSettings,
    device: torch.device,
    micro_batch: int,
) -> None:
    """Learn the words of a group into `path`, unless it exists; an interrupted run goes on from its checkpoint.

    Raises `InputError` when the GPU's memory runs out, or naming class and step when a loss is not finite.
    """
    if path.is_file():
        return
    # The weights stay float32 while words are learned, whatever precision images are generated in.
    model = DiffusionModel.model_validate({**settings.diffusion.model_dump(), "dtype": "float32"})
    diffusion = load_diffusion(model, device)
    classes = [
        encode_class(
            diffusion,
            item.class_name,
            cell,
            [load_image(Path(image)) for image in item.paths],
            crop=settings.embedding.crop,
            micro_batch=micro_batch,
        )
        for item in group
    ]
    checkpoint = checkpoint_of(path)
    try:
        # The words of a cell share one shape, which decides their rounding: it stays the same to the end.
        with explain_full_memory(f"{len(group)} words at once", f"lower `execution.words_together`, or {REMEDY}"):
            words = learn_words(diffusion, classes, settings.embedding, checkpoint)
    except FloatingPointError as error:
        raise InputError(str(error)) from None
    made = torch_record(("torch", "diffusers", "transformers"), device)
    unique = {word.class_name: replace(word, made_with=made) for word in words}  # a short group repeats its last class
    write_words(list(unique.values()), path)
    checkpoint.unlink(missing_ok=True)


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

    Returns the files of all groups of the cell, which exist once all shards have ended.
    """
    groups = group_classes(shots, words_together)
    paths = [group_path(store, group, cell, settings) for group in groups]
    for group, path in of_shard(list(zip(groups, paths, strict=True)), range(len(groups)), shards, shard):
        learn_group(group, path, cell, settings, device, micro_batch)
    return paths

"""The words of a cell: groups of classes that are learned together, kept in the store, and put into one file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from diagen.config import DiffusionModel
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.data.shots_file import Shot
from diagen.embeddings.inversion import encode_class, learn_words
from diagen.embeddings.words_file import read_learned_words, write_words
from diagen.images import load_image
from diagen.models.diffusion import load_diffusion
from diagen.runtime.gpu_memory import REMEDY, tell_when_full
from diagen.seeds import stable_hash

Cell = tuple[str, int, int]  # dataset, seed, shots


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


def group_path(
    store: Path, group: Sequence[ClassGuides], cell: Cell, settings: LearnEmbeddingsSettings, code: str
) -> Path:
    """Where the words of a group lie in the store: named by a hash of all that decides them."""
    classes = [part for item in group for part in (item.class_name, *item.sha256)]
    digest = stable_hash(code, settings.model_dump_json(), *cell, *classes)
    return store / "words" / f"{digest}.safetensors"


def learn_group(
    group: Sequence[ClassGuides],
    path: Path,
    cell: Cell,
    settings: LearnEmbeddingsSettings,
    device: torch.device,
    micro_batch: int,
) -> None:
    """Learn the words of a group into `path`, unless they are there; an interrupted run goes on from its checkpoint.

    Raises `InputError` when the GPU's memory runs out.
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
    checkpoint = path.parents[1] / "checkpoints" / path.name
    # The words of a cell share one shape, which decides their rounding; it isn't changed in the middle.
    with tell_when_full(f"{len(group)} words at once", f"lower `execution.words_together`, or {REMEDY}"):
        words = learn_words(diffusion, classes, settings.embedding, checkpoint)
    write_words(list({word.class_name: word for word in words}.values()), path)
    checkpoint.unlink(missing_ok=True)


def merge_groups(paths: Iterable[Path], output: Path) -> None:
    """Put the words of all groups of a cell into one file."""
    write_words([word for path in paths for word in read_learned_words(path)], output)

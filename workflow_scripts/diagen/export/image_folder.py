"""What a method's classifier is trained on, as a dataset for others: an ImageFolder of Hugging Face's `datasets`.

One table `metadata.csv` tells of every image; classes stand there and not in folder names, because `datasets` takes a
folder or file called `train`, `val` or `test` for a split, and COCO has a class `train`.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from PIL import Image

from diagen.data.shots_file import Shot
from diagen.errors import InputError
from diagen.files.atomic import atomic_path
from diagen.files.tables import write_rows
from diagen.generation.manifest_file import ManifestRow
from diagen.weighting.drawing import drawing_probabilities
from diagen.weighting.weights import normalize_per_group

COLUMNS = ("file_name", "label", "synthetic", "source_guide", "prompt", "noise_level", "weight", "probability")
OUR_NAMES = re.compile(r"\d{3,}/\d{2,}-(guide|\d{3,})-[0-9a-f]{16}\.\w+")
PROBLEMS_SHOWN = 30


@dataclass(frozen=True)
class ExportRow:
    """An image of the exported dataset.

    `file_name` and `source_guide`, the real image that it was made from (of a real image: itself), are relative to the
    dataset's folder. `weight` is its share in [0, 1] as the weighting gives it, equal shares without one;
    `probability` is that of its being drawn as the next training image (eq. 2), and sums to 1 over the dataset.
    Real images have neither prompt nor noise level nor weight.
    """

    file_name: str
    label: str
    synthetic: bool
    source_guide: str
    prompt: str | None
    noise_level: float | None
    weight: float | None
    probability: float


@dataclass(frozen=True)
class ExportedImage:
    """A row with the file that the image lies in, and the SHA-256 that this file must have."""

    row: ExportRow
    source: Path
    sha256: str


def plan_export(
    cell: Iterable[Shot],
    manifest: Sequence[ManifestRow],
    shares: Sequence[float] | None,
    *,
    synthetic_probability: float,
    store: Path,
) -> list[ExportedImage]:
    """The guide images of `cell` and the synthetic images of `manifest`, each class's real ones first.

    `shares` are the weights of the manifest's images in its order, or `None`. File names are unique and hold a hash of
    the file's content. Raises `InputError` as `drawing_probabilities` does, and for a guide image that is none.
    """
    guides = sorted((shot for shot in cell if shot.role == "guide"), key=lambda shot: (shot.class_name, shot.guide))
    classes = {name: number for number, name in enumerate(sorted({shot.class_name for shot in guides}))}
    groups = [(row.class_name, row.guide) for row in manifest]
    probabilities = drawing_probabilities(
        [shot.class_name for shot in guides],
        [shot.guide for shot in guides],
        [name for name, _ in groups],
        [guide for _, guide in groups],
        shares,
        synthetic_probability,
    ).tolist()
    weights = normalize_per_group([1.0] * len(groups), groups).tolist() if shares is None else shares

    def file_name(class_name: str, guide: int, what: str, sha256: str, suffix: str) -> str:
        return f"images/{classes[class_name]:03}/{guide:02}-{what}-{sha256[:16]}{suffix}"

    images = []
    names = {}
    for shot, probability in zip(guides, probabilities, strict=False):
        name = file_name(shot.class_name, shot.guide, "guide", shot.sha256, _suffix(Path(shot.path)))
        names[shot.class_name, shot.guide] = name
        row = ExportRow(name, shot.class_name, False, name, None, None, None, probability)
        images.append(ExportedImage(row, Path(shot.path), shot.sha256))
    for made, weight, probability in zip(manifest, weights, probabilities[len(guides) :], strict=True):
        name = file_name(made.class_name, made.guide, f"{made.number:03}", made.sha256, ".png")
        guide = names[made.class_name, made.guide]
        row = ExportRow(name, made.class_name, True, guide, made.prompt, made.noise_level, weight, probability)
        images.append(ExportedImage(row, store / made.file_name, made.sha256))
    return sorted(images, key=lambda image: (classes[image.row.label], image.row.synthetic))


def _suffix(path: Path) -> str:
    """The photo's own suffix, or that of its format where readers of image folders wouldn't take it for an image."""
    known, suffix = Image.registered_extensions(), path.suffix.lower()
    if suffix in known:
        return suffix
    try:
        with Image.open(path) as image:
            return next(name for name, kind in known.items() if kind == image.format)
    except Image.UnidentifiedImageError:
        raise InputError(f"`{path}` is not an image that can be read; run index_dataset again") from None


def place_images(images: Sequence[ExportedImage], folder: Path) -> None:
    """Put the images' files, unchanged, into `folder`, and remove those of an earlier export that are no part of it.

    Real photos are copied. Synthetic ones are linked to the store where the file system can, since nothing ever
    changes a file there; elsewhere they are copied. What is there already is left: its name tells its content.
    Raises `InputError`, which lists all source files that are missing or aren't what was planned with.
    """
    missing = [image for image in images if not (folder / image.row.file_name).is_file()]
    problems = [problem for image in missing if (problem := _problem(image))]
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
        more = f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise InputError(f"the dataset can't be exported:{shown}{more}")
    for image in missing:
        with atomic_path(folder / image.row.file_name) as temporary:
            if not (image.row.synthetic and _link(image.source, temporary)):
                shutil.copyfile(image.source, temporary)
    wanted = {folder / image.row.file_name for image in images}
    for path in (folder / "images").rglob("*"):
        # Nothing but what this function wrote is removed, whatever folder it was pointed at.
        if path not in wanted and OUR_NAMES.fullmatch(path.relative_to(folder / "images").as_posix()):
            path.unlink()


def _problem(image: ExportedImage) -> str | None:
    remedy = "run generate_images again" if image.row.synthetic else "restore it, or run index_dataset again"
    if not image.source.is_file():
        return f"there is no file `{image.source}`; {remedy}"
    with open(image.source, "rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    return None if same else f"`{image.source}` has changed since it was listed; {remedy}"


def _link(source: Path, target: Path) -> bool:
    """Make `target` another name of the file `source`; False where the file system can't."""
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def write_metadata(rows: Iterable[ExportRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    write_rows(COLUMNS, map(astuple, rows), path)

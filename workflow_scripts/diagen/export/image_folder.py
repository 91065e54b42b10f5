"""Export of a method's training set as an ImageFolder of Hugging Face's `datasets`.

The table `metadata.csv` describes every image. Classes are in the table rather than in folder names, because `datasets`
treats a folder or file named `train`, `val` or `test` as a split, and COCO has a class `train`.
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
from diagen.errors import InputError, Problem
from diagen.files.atomic import atomic_path
from diagen.files.tables import write_rows
from diagen.generation.manifest_file import ManifestRow
from diagen.images import image_format
from diagen.weighting.drawing import drawing_probabilities
from diagen.weighting.weights import normalize_per_group

COLUMNS = ("file_name", "label", "synthetic", "source_guide", "prompt", "noise_level", "weight", "probability")
OUR_NAMES = re.compile(r"\d{3,}/\d{2,}-(guide|\d{3,})-[0-9a-f]{16}\.\w+")
PROBLEMS_SHOWN = 30


@dataclass(frozen=True)
class ExportRow:
    """An image of the exported dataset.

    `file_name` and `source_guide`, the guide image it was generated from (for a real image: itself), are relative to
    the dataset's folder. `weight` in [0, 1] is the share computed by the weighting, or an equal share without one;
    `probability` is the sampling probability per draw in training (eq. (2)), and sums to 1 over the dataset. Real
    images have no prompt, noise level or weight.
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
    """A row, the image's source file, and the SHA-256 that this file must have."""

    row: ExportRow
    source: Path
    sha256: str


def plan_export(
    shots: Iterable[Shot],
    manifest: Sequence[ManifestRow],
    shares: Sequence[float] | None,
    *,
    synthetic_probability: float,
    store: Path,
    manifest_file: Path | None = None,
    weights_file: Path | None = None,
) -> list[ExportedImage]:
    """The guide images of `shots` and the synthetic images of `manifest`, sorted by class, real images first.

    `shares` are the weights of the manifest's images in its order, or `None`. File names are unique and contain a hash
    of the file's content. The files are those of the manifest and weights, for errors. Raises `InputError` as
    `drawing_probabilities` does, and for a guide image that is no readable image.
    """
    guides = sorted(
        ((shot.class_name, shot.guide, shot) for shot in shots if shot.guide is not None), key=lambda guide: guide[:2]
    )
    classes = {name: number for number, name in enumerate(sorted({name for name, *_ in guides}))}
    groups = [(row.class_name, row.guide) for row in manifest]
    probabilities = drawing_probabilities(
        [name for name, *_ in guides],
        [guide for _, guide, _ in guides],
        [name for name, _ in groups],
        [guide for _, guide in groups],
        shares,
        synthetic_probability,
        manifest=manifest_file,
        weights=weights_file,
    ).tolist()
    weights = normalize_per_group([1.0] * len(groups), groups).tolist() if shares is None else shares

    def file_name(class_name: str, guide: int, number: str, sha256: str, suffix: str) -> str:
        return f"images/{classes[class_name]:03}/{guide:02}-{number}-{sha256[:16]}{suffix}"

    images = []
    names = {}
    for (class_name, guide, shot), probability in zip(guides, probabilities, strict=False):
        name = file_name(class_name, guide, "guide", shot.sha256, _suffix(Path(shot.path)))
        names[class_name, guide] = name
        row = ExportRow(name, class_name, False, name, None, None, None, probability)
        images.append(ExportedImage(row, Path(shot.path), shot.sha256))
    for made, weight, probability in zip(manifest, weights, probabilities[len(guides) :], strict=True):
        name = file_name(made.class_name, made.guide, f"{made.number:03}", made.sha256, ".png")
        source = names[made.class_name, made.guide]
        row = ExportRow(name, made.class_name, True, source, made.prompt, made.noise_level, weight, probability)
        images.append(ExportedImage(row, store / made.file_name, made.sha256))
    return sorted(images, key=lambda image: (classes[image.row.label], image.row.synthetic))


def _suffix(path: Path) -> str:
    """The photo's suffix, or that of its format if readers of image folders do not recognize its own."""
    known, suffix = Image.registered_extensions(), path.suffix.lower()
    if suffix in known:
        return suffix
    try:
        form = image_format(path)
    except InputError as error:
        raise InputError(
            f"{error}. If you remove it, index the dataset again and run Snakemake again: rm results/<experiment>/"
            "<dataset>/images.csv"
        ) from None
    return next((name for name, kind in known.items() if kind == form), f".{form.lower()}")


def place_images(images: Sequence[ExportedImage], folder: Path) -> None:
    """Place the images' files, unchanged, in `folder`, and remove files of an earlier export that are not among them.

    Real photos are copied. Synthetic images are hard links to the store if the file system allows, since store files
    never change; otherwise copies. Existing files are kept: their names contain a hash of their content. Raises
    `InputError`, which lists all source files that are missing or have changed; then nothing is written.
    """
    missing = [image for image in images if not (folder / image.row.file_name).is_file()]
    problems = [problem for image in missing if (problem := _problem(image))]
    if problems:
        raise InputError(
            f"{folder}: the dataset cannot be exported because of its source files:"
            + "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
            + (f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else "")
        )
    for image in missing:
        target = folder / image.row.file_name
        if not (image.row.synthetic and _link(image.source, target)):
            with atomic_path(target) as temporary:
                shutil.copyfile(image.source, temporary)
    wanted = {folder / image.row.file_name for image in images}
    for path in (folder / "images").rglob("*"):
        # `folder` may hold files of the user: remove only names that this function writes.
        if path not in wanted and OUR_NAMES.fullmatch(path.relative_to(folder / "images").as_posix()):
            path.unlink()


def _problem(image: ExportedImage) -> Problem | None:
    remedy = Problem(
        "To generate it again, type the commands that this one prints: .venv/bin/snakemake --cores 1 verify_results "
        "--configfile config/<experiment>.yaml"
        if image.row.synthetic
        else "Restore the file, or index the dataset again and run Snakemake again: rm results/<experiment>/<dataset>/"
        "images.csv"
    )
    if not image.source.is_file():
        return Problem(f"{image.source}: no such file. {remedy}")
    with open(image.source, "rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    return None if same else Problem(f"{image.source}: the content has changed. {remedy}")


def _link(source: Path, target: Path) -> bool:
    """Create `target` as a hard link to `source`; returns False if the file system does not support it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A link appears at once and complete, and its content is on disk already: waiting for the disk once per image,
        # as an atomic write does, takes minutes for 50,000 images.
        os.link(source, target)
    except OSError:
        return False
    return True


def write_metadata(rows: Iterable[ExportRow], path: Path) -> None:
    """Write `rows` to the CSV file `path` atomically."""
    write_rows(COLUMNS, map(astuple, rows), path)

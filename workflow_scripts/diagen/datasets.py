"""Datasets: which images there are, of which class and split, and how a photo's pixels are read."""

import csv
import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from diagen.atomic import atomic_path
from diagen.config import Dataset, DrawnWorld, ImageFolder
from diagen.errors import InputError
from diagen.progress import progress

COLUMNS = ("path", "class", "split", "width", "height", "sha256")
PROBLEMS_SHOWN = 30


@dataclass(frozen=True)
class ImageRow:
    """An image of a dataset.

    `path` is as the configuration's root leads to it, with forward slashes; `class_name` has underscores for spaces;
    `split` is `train_val`, `test` or `test_uncommon`; width and height (pixels) are those of the upright photo;
    `sha256` is that of the file.
    """

    path: str
    class_name: str
    split: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class ListedImage:
    """An image file that an adapter found, not yet opened."""

    split: str
    class_name: str
    path: Path


Adapter = Callable[[Dataset], tuple[list[ListedImage], list[str]]]
"""Lists a dataset's files; the second list holds one sentence for each mistake in its layout."""


def index_dataset(dataset: Dataset) -> list[ImageRow]:
    """Every image of the dataset, sorted by split, class and path.

    Each file is decoded whole, so that a broken one is found now and not hours later. Raises `InputError`, which
    lists everything wrong with the dataset at once: missing folders, classes without images, classes that are not
    there or differ only in case, and files that can't be read as images.
    """
    listed, problems = ADAPTERS[dataset.adapter](dataset)
    rows = []
    with ThreadPoolExecutor() as pool:
        outcomes = progress(pool.map(_row_or_problem, listed), total=len(listed), label="index_dataset", unit="images")
        for outcome in outcomes:
            (problems if isinstance(outcome, str) else rows).append(outcome)
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
        more = f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
        raise InputError(f"the dataset in `{dataset.root}` can't be used:{shown}{more}")
    return sorted(rows, key=lambda row: (row.split, row.class_name, row.path))


def _row_or_problem(listed: ListedImage) -> ImageRow | str:
    """The image's row, or the sentence that says why there is none."""
    try:
        width, height = load_image(listed.path).size
        with open(listed.path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except InputError as error:
        return str(error)
    return ImageRow(listed.path.as_posix(), listed.class_name, listed.split, width, height, sha256)


# ---------------------------------------------------------------- adapters


def list_image_folder(dataset: ImageFolder) -> tuple[list[ListedImage], list[str]]:
    """The files of `<root>/<split folder>/<class>/`, the layout of Custom COCO; hidden files are passed over."""
    root = Path(dataset.root)
    if not root.is_dir():
        return [], [f"there is no folder `{root}`; correct the dataset's `root` or put the images there"]
    problems: list[str] = []
    folders = dict(_split_folders(dataset, root, problems))
    found = {split: dict(_class_folders(folder, problems)) for split, folder in folders.items()}
    wanted = _wanted_classes(dataset, found.get("train_val", {}), folders, problems)
    spellings = {name.casefold() for name in wanted}
    problems += _clashes(
        path for classes in found.values() for name, path in classes.items() if name.casefold() in spellings
    )
    listed = []
    for split, classes in found.items():
        if dataset.classes is None and "train_val" in found:
            problems += [
                f"the class `{path}` has no folder in `{folders['train_val']}`; add one or remove the class"
                for name, path in classes.items()
                if name.casefold() not in spellings
            ]
        for name in sorted(classes.keys() & wanted):
            images = _image_files(classes[name], problems)
            if not images and split == "train_val":
                problems.append(f"the class folder `{classes[name]}` holds no images; add some or remove it")
            listed += [ListedImage(split, name, path) for path in images]
    return listed, problems


def list_drawn_world(dataset: DrawnWorld) -> tuple[list[ListedImage], list[str]]:
    """The files of a drawn world, which lies on disk as an image folder."""
    return list_image_folder(ImageFolder(adapter="image_folder", root=dataset.root, classes=dataset.classes))


ADAPTERS: dict[str, Adapter] = {"image_folder": list_image_folder, "drawn_world": list_drawn_world}


def class_label(name: str) -> str:
    """The class name as tables hold it: composed Unicode (file systems differ), with underscores for spaces."""
    return "_".join(unicodedata.normalize("NFC", name).split())


def _split_folders(dataset: ImageFolder, root: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    for split, name in (
        ("train_val", dataset.train_val),
        ("test", dataset.test),
        ("test_uncommon", dataset.test_uncommon),
    ):
        if name is not None and (root / name).is_dir():
            yield split, root / name
        elif split != "test_uncommon":
            problems.append(f"there is no folder `{root / name}`; add it or name another one under `{split}`")


def _class_folders(folder: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    seen: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        label = class_label(path.name)
        if label in seen:
            problems.append(f"`{seen[label]}` and `{path}` are the same class `{label}`; merge them")
        seen[label] = path
    if not seen:
        problems.append(f"the folder `{folder}` holds no class folders; it needs one folder of images per class")
    yield from seen.items()


def _wanted_classes(
    dataset: ImageFolder, classes: dict[str, Path], folders: dict[str, Path], problems: list[str]
) -> set[str]:
    """Labels of the classes to use: those asked for, or all with a folder in train-val."""
    if dataset.classes is None:
        return set(classes)
    wanted = {class_label(name) for name in dataset.classes}
    if "train_val" in folders:
        problems += [
            f"the class `{name}` of `classes` has no folder in `{folders['train_val']}`; there are: "
            f"{', '.join(sorted(classes)) or 'none'}"
            for name in sorted(wanted - set(classes))
        ]
    return wanted


def _clashes(folders: Iterable[Path]) -> Iterator[str]:
    """One sentence for each group of class folders, of any split, whose labels differ only in case."""
    spellings: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in folders:
        label = class_label(path.name)
        spellings[label.casefold()].setdefault(label, path)
    for paths in spellings.values():
        if len(paths) > 1:
            names = " and ".join(f"`{path}`" for path in sorted(paths.values()))
            yield f"{names} differ only in case; give the class one spelling, or other names to different classes"


def _image_files(folder: Path, problems: list[str]) -> list[Path]:
    files = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            problems.append(f"`{path}` is a folder inside a class folder; put its images into `{folder}`")
        elif not _is_utf8(path.as_posix()):
            problems.append(f"{path.as_posix()!r} has a name that is not UTF-8 text; rename it")
        else:
            files.append(path)
    return files


def _is_utf8(name: str) -> bool:
    """Whether tables can hold the name: undecodable bytes of a file name come as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


# ---------------------------------------------------------------- pixels


def load_image(path: Path | str) -> Image.Image:
    """The photo as 8-bit RGB, upright: its EXIF orientation is applied.

    Of several frames (MPO, GIF) the first is taken, transparency shows white, 16-bit values are scaled to 8 bits.
    Raises `InputError` naming the file when it is no image, is truncated, or holds floating-point values.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image))
    except Image.UnidentifiedImageError:
        raise InputError(f"`{path}` is not an image that can be read; remove it or save it as JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"`{path}` can't be read as an image ({error}); restore the file or remove it") from None


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point values have no agreed range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


# ---------------------------------------------------------------- table


def write_images(rows: Iterable[ImageRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)


def read_images(path: Path) -> list[ImageRow]:
    """Read an `images.csv`. Raises `InputError` when a column is missing."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path} is no images.csv: it lacks {', '.join(sorted(missing))}; run index_dataset again")
        return [
            ImageRow(row["path"], row["class"], row["split"], int(row["width"]), int(row["height"]), row["sha256"])
            for row in reader
        ]

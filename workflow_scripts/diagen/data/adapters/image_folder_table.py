"""The split table of an image folder: a CSV file with the split of each image and, optionally, its class."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from diagen.config.datasets import ImageFolder
from diagen.data.adapters.interface import SPLITS, ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels
from diagen.errors import Problem


def list_split_table(dataset: ImageFolder, root: Path, file: Path) -> Listing:
    """List the files in the table `file` that belong to the configured classes; other files below `root` are left out.

    The table has the columns `path` (from `root`), `split` and, optionally, `class` (default: the name of the image's
    folder).
    """
    listing = Listing()
    images = _read(file, root, listing.problems)
    known = {image.class_name for image in images}
    wanted, unknown = wanted_labels(dataset.classes, known, f"`{file}`")
    listing.problems.extend(unknown)
    listing.images.extend(image for image in images if image.class_name in wanted)
    places = {image.class_name: f"{file}: `{image.class_name}`" for image in listing.images}
    listing.problems.extend(class_problems(places))
    return listing


def _read(file: Path, root: Path, problems: list[Problem]) -> list[ListedImage]:
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with open(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            columns = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(f"{file}: cannot be read as a split table ({error}); save it as CSV in UTF-8"))
        return []
    lacking = [name for name in ("path", "split") if name not in columns]
    if lacking:
        problems.append(
            Problem(f"{file}: lacks the column {' and '.join(lacking)}; name the columns in the first line")
        )
        return []
    images: dict[Path, ListedImage] = {}
    for number, row in enumerate(rows, start=2):
        image = _image(row, root)
        if isinstance(image, Problem):
            problems.append(Problem(f"{file}: row {number}: {image}"))
        elif image.path in images:
            problems.append(
                Problem(f"{file}: row {number}: `{row['path']}` is already listed above; remove one of the rows")
            )
        else:
            images[image.path] = image
    return list(images.values())


def _image(row: Mapping[str, str | None], root: Path) -> ListedImage | Problem:
    """The image of a row, or the row's problem."""
    name, split = (row["path"] or "").strip(), (row["split"] or "").strip()
    if split not in SPLITS:
        return Problem(f"unknown split `{split}`; use one of {', '.join(SPLITS)}")
    # `a/../b.jpg` is `b.jpg`, so the image could be in two splits unnoticed.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return Problem(f"`{name}` is not a path below `{root}`; write it without `..` and without a leading slash")
    path = root / name
    if not name or not os.path.isfile(path):
        return Problem(f"no such file `{path}`; write its path relative to `{root}`")
    class_name = class_label(row["class"] or "" if "class" in row else path.parent.name)
    if not class_name or path.parent == root and "class" not in row:
        return Problem(
            f"`{name}` has no class; write it in the column `class`, or move the file into a folder of its class"
        )
    return ListedImage(split, class_name, path)

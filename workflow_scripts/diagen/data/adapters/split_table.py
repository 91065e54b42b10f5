"""The table of splits of an image folder: a CSV file that names the split of each image, and perhaps its class."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

from diagen.config.datasets import ImageFolder
from diagen.data.adapters.interface import SPLITS, ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels


def list_split_table(dataset: ImageFolder, root: Path) -> Listing:
    """The files that the table names, of the classes asked for; files that it doesn't name are left out."""
    listing = Listing()
    file = Path(dataset.split_table)
    images = _read(file, root, listing.problems)
    known = {image.class_name for image in images}
    wanted, unknown = wanted_labels(dataset.classes, known, f"no row in `{file}`")
    listing.problems.extend(unknown)
    listing.images.extend(image for image in images if image.class_name in wanted)
    places = {image.class_name: f"`{image.class_name}` in `{file}`" for image in listing.images}
    listing.problems.extend(class_problems(places))
    return listing


def _read(file: Path, root: Path, problems: list[str]) -> list[ListedImage]:
    try:
        # utf-8-sig: spreadsheets write a mark at the beginning.
        with open(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            columns = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"the split table `{file}` can't be read ({error}); save it as CSV in UTF-8")
        return []
    lacking = [name for name in ("path", "split") if name not in columns]
    if lacking:
        problems.append(
            f"the split table `{file}` lacks the column {' and '.join(lacking)}; write it in the first line"
        )
        return []
    images: dict[Path, ListedImage] = {}
    for number, row in enumerate(rows, start=2):
        image = _image(row, root)
        if isinstance(image, str):
            problems.append(f"`{file}`, row {number}: {image}")
        elif image.path in images:
            problems.append(f"`{file}`, row {number}: `{row['path']}` stands there twice; keep one of the rows")
        else:
            images[image.path] = image
    return list(images.values())


def _image(row: Mapping[str, str | None], root: Path) -> ListedImage | str:
    """The image that a row names, or what is wrong with the row."""
    name, split = (row["path"] or "").strip(), (row["split"] or "").strip()
    if split not in SPLITS:
        return f"unknown split `{split}`; write one of {', '.join(SPLITS)}"
    # `a/../b.jpg` is `b.jpg`: an image in two splits would go unseen.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return f"`{name}` is no path downwards from `{root}`; write it without `..` and without a leading slash"
    path = root / name
    if not name or not os.path.isfile(path):
        return f"there is no file `{path}`; write its path from `{root}`"
    class_name = class_label(row["class"] or "" if "class" in row else path.parent.name)
    if not class_name or path.parent == root and "class" not in row:
        return f"`{name}` has no class; write it in the column `class`, or put the file into a folder of its class"
    return ListedImage(split, class_name, path)

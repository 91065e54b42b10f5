"""The split table of an image folder: a CSV file with the split of each image and, optionally, its class."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from diagen.config.datasets import ImageFolder
from diagen.data.adapters.files import Spellings, same_name
from diagen.data.adapters.interface import SPLITS, ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels
from diagen.errors import Problem
from diagen.letters import composed


def list_split_table(dataset: ImageFolder, root: Path, file: Path) -> Listing:
    """List the files in the table `file` that belong to the configured classes; other files below `root` are left out.

    The table has the columns `path` (from `root`), `split` and, optionally, `class` (default: the name of the image's
    folder), in any order and case; others are ignored.
    """
    listing = Listing()
    images = _read(file, root, listing.problems)
    known = {image.class_name for image in images}
    wanted, unknown = wanted_labels(dataset.classes, known, f"`{file}`")
    listing.problems.extend(unknown)
    listing.images.extend(image for image in images if image.class_name in wanted)
    if dataset.test is None and any(image.split != "train_val" for image in listing.images):
        listing.problems.append(
            Problem(
                f"{file}: `test: none` allows the split `train_val` only; change the others, or remove `test: none`"
            )
        )
    places = {image.class_name: f"{file}: `{image.class_name}`" for image in listing.images}
    listing.problems.extend(class_problems(places))
    return listing


def _read(file: Path, root: Path, problems: list[Problem]) -> list[ListedImage]:
    rows = _rows(file, problems)
    spellings = Spellings(root)
    images: dict[str, ListedImage] = {}
    for number, row in rows:
        image = _image(row, spellings)
        if isinstance(image, Problem):
            problems.append(Problem(f"{file}: row {number}: {image}"))
            continue
        earlier = images.setdefault(composed(image.path.as_posix()), image)
        if earlier is image:
            continue
        if earlier.path == image.path:
            twice = f"`{row['path']}` is already listed above; remove one of the rows"
        else:
            twice = f"{same_name(earlier.path, image.path)}; rename or remove one of the files"
        problems.append(Problem(f"{file}: row {number}: {twice}"))
    return list(images.values())


def _rows(file: Path, problems: list[Problem]) -> list[tuple[int, dict[str, str]]]:
    """The number of each row (the header is row 1) and its values by column, both without surrounding spaces."""
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        text = file.read_bytes().decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except OSError as error:
        problems.append(Problem(f"{file}: cannot be opened ({error.strerror}); correct `split_table` or permissions"))
        return []
    except UnicodeDecodeError as error:
        problems.append(Problem(f"{file}: not UTF-8 text ({error}); save it as CSV in UTF-8"))
        return []
    except csv.Error as error:
        problems.append(Problem(f"{file}: cannot be read as a table ({error}); save it as CSV again"))
        return []
    columns = [name.strip().lower() for name in lines[0]] if lines else []
    problem = _header_problem(columns)
    if problem is not None:
        problems.append(Problem(f"{file}: {problem}"))
        return []
    rows = []
    for number, values in enumerate(lines[1:], start=2):
        if any(value.strip() for value in values[len(columns) :]):
            problems.append(
                Problem(f"{file}: row {number}: more values than columns; put values that contain commas in quotes")
            )
        elif any(value.strip() for value in values):
            padded = [*(value.strip() for value in values), *[""] * len(columns)]
            rows.append((number, dict(zip(columns, padded, strict=False))))
    return rows


def _header_problem(columns: list[str]) -> Problem | None:
    lacking = [name for name in ("path", "split") if name not in columns]
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if lacking:
        hint = " (it seems to use semicolons)" if any(";" in name for name in columns) else ""
        return Problem(
            f"lacks the column {' and '.join(lacking)}{hint}; name the columns in the first line, separated by commas"
        )
    return Problem(f"has the column {' and '.join(twice)} twice; remove one of them") if twice else None


def _image(row: Mapping[str, str], spellings: Spellings) -> ListedImage | Problem:
    """The image of a row, or the row's problem."""
    name, split, root = row["path"], row["split"], spellings.root
    if split not in SPLITS:
        return Problem(f"unknown split `{split}`; use one of {', '.join(SPLITS)}")
    # `a/../b.jpg` is `b.jpg`, so the image could be in two splits unnoticed.
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return Problem(f"`{name}` is not a path below `{root}`; write it without `..` and without a leading slash")
    path = spellings.path(name)
    if not name or not os.path.isfile(path):
        return Problem(f"no such file `{path}`; write its path relative to `{root}`")
    class_name = class_label(row["class"] if "class" in row else path.parent.name)
    if not class_name or path.parent == root and "class" not in row:
        return Problem(
            f"`{name}` has no class; write it in the column `class`, or move the file into a folder of its class"
        )
    return ListedImage(split, class_name, path)

"""`focus`: FOCUS (Kattakinda and Feizi 2022), ten classes in common and uncommon settings.

Folders are named `<class>-<setting>`, such as `truck-snow`. A photo has the class of its folder, unless its row in
`annotations.db` names another. Rows of photos with people are ignored, as in the published code.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from diagen.config.datasets import Focus
from diagen.data.adapters.draw import draw_files
from diagen.data.adapters.files import image_files, is_outside, missing_folder, visible_entries
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import wanted_labels
from diagen.errors import Problem
from diagen.letters import composed

CLASSES = ("truck", "car", "plane", "ship", "cat", "dog", "horse", "deer", "frog", "bird")
DATABASE = "annotations.db"
UNREADABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM)
"""Errors of SQLite for a file that cannot be read, whatever it contains."""
PRIMARY = 0xFF  # mask of these in SQLite's extended error codes


def list_images(dataset: Focus) -> Listing:
    """List the photos; a seed draws `train_val_per_class` of each class for shots and validation, the others test."""
    root = Path(dataset.root)
    missing = missing_folder(root)
    if missing:
        return Listing(problems=[missing])
    listing = Listing()
    problems = listing.problems
    wanted, unknown = wanted_labels(dataset.classes, CLASSES, "FOCUS")
    problems += unknown
    corrected = _categories(root / DATABASE, problems)
    photos: dict[str, list[Path]] = {name: [] for name in sorted(wanted & set(CLASSES))}
    found = set()
    for folder_class, folder in _folders(root, listing):
        for path in image_files(folder, listing):
            name = composed(path.relative_to(root).as_posix())
            found.add(name)
            class_name = corrected.get(name, folder_class)
            if class_name in photos:
                photos[class_name].append(path)
    if corrected and not corrected.keys() & found:
        example = next(iter(corrected))
        problems.append(
            Problem(f"{root / DATABASE}: none of its files exist, such as `{root / example}`; correct `root`")
        )
    for name, paths in photos.items():
        if len(paths) <= dataset.train_val_per_class:
            problems.append(
                Problem(
                    f"{root}: the class `{name}` has {len(paths)} photos, so `train_val_per_class: "
                    f"{dataset.train_val_per_class}` leaves none to test; lower it or complete the dataset"
                )
            )
        kept = draw_files(paths, root, dataset.train_val_per_class, dataset.split_seed, name)
        listing.images.extend(ListedImage("train_val" if path in kept else "test", name, path) for path in paths)
    return listing


def _folders(root: Path, listing: Listing) -> list[tuple[str, Path]]:
    """Class and path of each folder of photos; other folders are added to `listing.passed_over`."""
    folders = []
    for path in visible_entries(root, listing):
        class_name, dash, _ = path.name.partition("-")
        if not path.is_dir():
            continue
        if not dash or class_name not in CLASSES:
            listing.passed_over.append(path.as_posix())
        elif is_outside(path, root):
            listing.problems.append(
                Problem(f"{path}: a link to a folder outside of `{root}`; copy its photos into the dataset")
            )
        else:
            folders.append((class_name, path))
    return folders


def _categories(file: Path, problems: list[Problem]) -> dict[str, str]:
    """The category of each photo without people, by its path from the root; not every photo has a row."""
    if not file.is_file():
        problems.append(
            Problem(f"{file}: no such file; copy it from the download of FOCUS (it corrects the classes of folders)")
        )
        return {}
    try:
        # immutable: the dataset may be on a read-only disk, where SQLite cannot create its lock.
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("SELECT file_name, category FROM annotations WHERE humans = 'no'").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & PRIMARY in UNREADABLE:
            problems.append(Problem(f"{file}: cannot be opened ({error}); correct its permissions or copy it again"))
        else:
            problems.append(
                Problem(f"{file}: not the database of FOCUS ({error}); copy `{DATABASE}` from the download of FOCUS")
            )
        return {}
    categories: dict[str, str] = {}
    for name, category in rows:
        if category not in CLASSES:
            problems.append(
                Problem(f"{file}: `{name}` has the unknown category `{category}`; use one of {', '.join(CLASSES)}")
            )
        elif categories.setdefault(composed(str(name)).lstrip("./"), category) != category:
            problems.append(Problem(f"{file}: `{name}` has two categories; remove one of the rows"))
    return categories

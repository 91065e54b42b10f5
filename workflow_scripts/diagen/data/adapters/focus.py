"""`focus`: FOCUS (Kattakinda and Feizi 2022), ten classes in common and uncommon settings.

Folders are named `<class>-<setting>`, such as `truck-snow`; the class of a photo is that of its folder, unless the row
of `annotations.db` for it names another. Rows of photos with people are not believed, as in the published code.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from diagen.config.datasets import Focus
from diagen.data.adapters.draw import drawn
from diagen.data.adapters.files import image_files, is_hidden, leads_out, no_folder
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import wanted_labels

CLASSES = ("truck", "car", "plane", "ship", "cat", "dog", "horse", "deer", "frog", "bird")
DATABASE = "annotations.db"


def list_images(dataset: Focus) -> Listing:
    """The photos of FOCUS; `train_val_per_class` of each class, drawn by a seed, are for shots and validation."""
    root = Path(dataset.root)
    missing = no_folder(root)
    if missing:
        return Listing(problems=[missing])
    listing = Listing()
    problems = listing.problems
    wanted, unknown = wanted_labels(dataset.classes, CLASSES, "no folder in FOCUS")
    problems += unknown
    corrected = _categories(root / DATABASE, problems)
    photos: dict[str, list[Path]] = {name: [] for name in sorted(wanted & set(CLASSES))}
    found = set()
    for folder_class, folder in _folders(root, problems):
        for path in image_files(folder, problems):
            name = path.relative_to(root).as_posix()
            found.add(name)
            class_name = corrected.get(name, folder_class)
            if class_name in photos:
                photos[class_name].append(path)
    if corrected and not corrected.keys() & found:
        example = next(iter(corrected))
        problems.append(f"`{root / DATABASE}` names no file that is there, such as `{example}`; check `root`")
    for name, paths in photos.items():
        if len(paths) <= dataset.train_val_per_class:
            problems.append(
                f"the class `{name}` has {len(paths)} photos in `{root}`, and `train_val_per_class` "
                f"{dataset.train_val_per_class} leaves none to test; complete the dataset or lower it"
            )
        kept = drawn(paths, root, dataset.train_val_per_class, dataset.split_seed, name)
        listing.images.extend(ListedImage("train_val" if path in kept else "test", name, path) for path in paths)
    return listing


def _folders(root: Path, problems: list[str]) -> list[tuple[str, Path]]:
    """Class and path of each folder of photos; other folders are passed over."""
    folders = []
    for path in sorted(root.iterdir()):
        class_name, dash, _ = path.name.partition("-")
        if is_hidden(path) or not path.is_dir() or not dash or class_name not in CLASSES:
            continue
        if leads_out(path, root):
            problems.append(f"the folder `{path}` is a link out of `{root}`; put its photos into the dataset")
        else:
            folders.append((class_name, path))
    return folders


def _categories(file: Path, problems: list[str]) -> dict[str, str]:
    """The category of each photo without people by its path from the root; photos may have no row."""
    if not file.is_file():
        problems.append(f"there is no `{file}`; it comes with FOCUS and corrects the classes of its folders")
        return {}
    try:
        # immutable: a dataset may lie where nothing can be written, not even the database's lock.
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True)) as database:
            rows = database.execute("SELECT file_name, category FROM annotations WHERE humans = 'no'").fetchall()
    except sqlite3.Error as error:
        problems.append(f"`{file}` is no database of FOCUS ({error}); download it again")
        return {}
    categories: dict[str, str] = {}
    for name, category in rows:
        if category not in CLASSES:
            problems.append(f"`{file}`: `{name}` has the unknown category `{category}`; known: {', '.join(CLASSES)}")
        elif categories.setdefault(str(name).lstrip("./"), category) != category:
            problems.append(f"`{file}`: `{name}` has two categories; keep one of the rows")
    return categories

"""Finds out in which layout a folder holds photos, from the names of its folders. Opens no photo."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diagen.config.datasets import Coco, CustomCoco, Focus, ImageFolder
from diagen.data.adapters.coco import PARTS
from diagen.data.adapters.files import is_hidden
from diagen.data.adapters.focus import DATABASE
from diagen.errors import InputError, Problem
from diagen.letters import CONTROL, shortened
from diagen.plurals import count

OwnDataset = ImageFolder | CustomCoco | Focus | Coco
"""The datasets of photos, which are not drawn."""
SPLIT_NAMES = {
    "train_val": ("train-val", "trainval", "train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "tests", "testing"),
    "test_uncommon": ("test-uncommon", "test-uncommon-context", "uncommon"),
}
"""Names of split folders, the usual one first; case does not count, and `_` and spaces count as `-`."""
PHOTO_ENDINGS = frozenset(".jpg .jpeg .png .webp .avif .tif .tiff .gif .bmp .heic .heif".split())
WRAPPERS = 3
"""Folders inside one another that only hold the next, as in unpacked archives."""
SHOWN = 5


@dataclass(frozen=True)
class Layout:
    """The dataset block for the folder, what was found in a sentence, and notes on what was passed over.

    A dataset of class folders without a test split has `test: none`.
    """

    dataset: OwnDataset
    text: str
    notes: list[str] = field(default_factory=list)


def find_layout(root: Path) -> Layout:
    """Find the layout of the photos in the folder `root`. Raises `InputError` with a remedy if there is none."""
    if problem := _root_problem(root):
        raise InputError(problem)
    notes: list[str] = []
    for _ in range(WRAPPERS):
        if layout := _public(root, notes) or _split_folders(root, notes):
            return layout
        folders = list(_folders(root))
        if len(folders) != 1 or not any(_folders(folders[0])) or _photos(folders[0]) or _photos(root):
            break
        notes.append(f"the photos are in its only folder, {folders[0].name}")
        root = folders[0]
    photos = _photos(root)
    if not list(_folders(root)):
        raise InputError(_no_classes(root, photos))
    if photos:
        names = shortened([path.name for path in photos], SHOWN)
        notes.append(f"passed over {count(len(photos), 'photo')} beside the class folders: {names}")
    dataset = ImageFolder(adapter="image_folder", root=root.as_posix(), test=None)
    return Layout(dataset, "one folder per class, no test photos set apart", notes)


def _root_problem(root: Path) -> Problem | None:
    """Why the folder cannot be a dataset's root at all."""
    if CONTROL.search(str(root)):
        return Problem(f"{root}: the path contains control characters, or is not UTF-8; rename the folder")
    if not root.exists():
        return Problem(f"{root}: no such folder; name a folder of photos: make experiment PHOTOS=~/photos")
    if not root.is_dir():
        return Problem(f"{root}: a file, not a folder; name the folder that holds one folder of photos per class")
    return None


def _public(root: Path, notes: list[str]) -> Layout | None:
    """The layout of a public dataset as downloaded."""
    if (root / "annotations").is_dir() and any((root / part).is_dir() for part in PARTS):
        return Layout(Coco(adapter="coco", root=root.as_posix()), "MS COCO as downloaded", notes)
    if (root / DATABASE).is_file():
        return Layout(Focus(adapter="focus", root=root.as_posix()), "FOCUS as downloaded", notes)
    if all((root / name).is_dir() for name in ("train-val", "test", "test_uncommon_context")):
        return Layout(CustomCoco(adapter="custom_coco", root=root.as_posix()), "Custom COCO as downloaded", notes)
    return None


def _split_folders(root: Path, notes: list[str]) -> Layout | None:
    """The layout `<root>/<split>/<class>/`; None if no folder has the name of a split and holds class folders."""
    found = _splits(root)
    if not found:
        return None
    if "train_val" not in found:
        names = " and ".join(f"`{path.name}`" for path in found.values())
        raise InputError(
            f"{root}: has {names}, but no folder of photos to learn from; name it `train-val`, with one folder per "
            "class as in the others"
        )
    others = [path.name for path in _folders(root) if path not in found.values()]
    if others:
        notes.append(f"passed over the folders beside the splits: {shortened(others, SHOWN)}")
    if "test" not in found and "val" in found:
        found["test"] = found.pop("val")
        notes.append(f"without a `test` folder, the photos of `{found['test'].name}` are for testing")
    if "test" not in found and "test_uncommon" in found:
        found["test"] = found.pop("test_uncommon")
    names = {split: path.name for split, path in found.items()}
    text = f"split folders {', '.join(names.values())}"
    if "test" not in found:
        dataset = ImageFolder(adapter="image_folder", root=found["train_val"].as_posix(), test=None)
        return Layout(dataset, f"one folder per class in `{names['train_val']}`, no test photos set apart", notes)
    usual = {split: ImageFolder.model_fields[split].default for split in names}
    named = {split: name for split, name in names.items() if name != usual[split]}
    return Layout(ImageFolder(adapter="image_folder", root=root.as_posix(), **named), text, notes)


def _splits(root: Path) -> dict[str, Path]:
    """The split folders of `root` that hold folders, by split; of several names for one split, the usual one."""
    nested = {path.name.casefold().replace("_", "-").replace(" ", "-"): path for path in _folders(root)}
    nested = {name: path for name, path in nested.items() if any(_folders(path))}
    found = {}
    for split, names in SPLIT_NAMES.items():
        path = next((nested[name] for name in names if name in nested), None)
        if path is not None:
            found[split] = path
    return found


def _no_classes(root: Path, photos: Sequence[Path]) -> Problem:
    """Why a folder without folders is no dataset, and how it becomes one."""
    example = shlex.quote(str(root / "CLASS"))
    if not photos:
        return Problem(f"{root}: holds no photos; put those of each class into a folder with its name: mkdir {example}")
    return Problem(
        f"{root}: {count(len(photos), 'photo')}, but no class folders; move the photos of each class into a folder "
        f"with its name: mkdir {example}; mv {shlex.quote(str(photos[0]))} {example}"
    )


def _folders(folder: Path) -> Iterator[Path]:
    """The folders in `folder`, sorted, without hidden ones."""
    return (path for path in sorted(folder.iterdir()) if not is_hidden(path) and path.is_dir())


def _photos(folder: Path) -> list[Path]:
    """The files in `folder` whose names end as those of photos."""
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PHOTO_ENDINGS and not is_hidden(path)]

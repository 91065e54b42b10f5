"""`image_folder`: one folder per class, inside split folders or without, or any folders with a table of splits."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from diagen.config.datasets import ImageFolder
from diagen.data.adapters.draw import drawn
from diagen.data.adapters.files import image_files, is_hidden, leads_out, no_folder
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.adapters.split_table import list_split_table
from diagen.data.names import class_label, class_problems, wanted_labels


def list_images(dataset: ImageFolder) -> Listing:
    """The files of an image folder, in the layout that the block names; hidden files are passed over."""
    root = Path(dataset.root)
    missing = no_folder(root)
    if missing:
        return Listing(problems=[missing])
    if dataset.split_table is not None:
        return list_split_table(dataset, root)
    if dataset.test_per_class is not None:
        return _list_class_folders(dataset, root)
    return _list_split_folders(dataset, root)


def _list_split_folders(dataset: ImageFolder, root: Path) -> Listing:
    """The files of `<root>/<split folder>/<class>/`."""
    listing = Listing()
    problems = listing.problems
    folders = dict(_split_folders(dataset, root, problems))
    found = {split: dict(_class_folders(folder, root, problems)) for split, folder in folders.items()}
    known = found.get("train_val", {})
    wanted, unknown = wanted_labels(dataset.classes, known, f"no folder in `{folders.get('train_val')}`")
    if "train_val" in found:
        problems += unknown
    spellings = {name.casefold() for name in wanted}
    places: dict[str, str] = {}
    for classes in found.values():
        for name, path in classes.items():
            if name.casefold() in spellings:
                places.setdefault(name, f"`{path}`")
    problems += class_problems(places)
    for split, classes in found.items():
        if dataset.classes is None and "train_val" in found:
            problems += [
                f"the class `{path}` has no folder in `{folders['train_val']}`; add one or remove the class"
                for name, path in classes.items()
                if name.casefold() not in spellings
            ]
        for name, images in _images(classes, wanted, problems, required=split == "train_val"):
            listing.images.extend(ListedImage(split, name, path) for path in images)
    return listing


def _list_class_folders(dataset: ImageFolder, root: Path) -> Listing:
    """The files of `<root>/<class>/`; `test_per_class` of each class, drawn by a seed, test."""
    listing = Listing()
    classes = dict(_class_folders(root, root, listing.problems))
    wanted, unknown = wanted_labels(dataset.classes, classes, f"no folder in `{root}`")
    listing.problems.extend(unknown)
    listing.problems.extend(class_problems({name: f"`{classes[name]}`" for name in classes.keys() & wanted}))
    for name, images in _images(classes, wanted, listing.problems, required=True):
        if 0 < len(images) <= dataset.test_per_class:
            listing.problems.append(
                f"the class folder `{classes[name]}` holds {len(images)} images, and `test_per_class` "
                f"{dataset.test_per_class} leaves none for shots; add images or lower it"
            )
        tests = drawn(images, root, dataset.test_per_class, dataset.split_seed, name)
        listing.images.extend(ListedImage("test" if path in tests else "train_val", name, path) for path in images)
    return listing


def _split_folders(dataset: ImageFolder, root: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    for split, name in (
        ("train_val", dataset.train_val),
        ("val", dataset.val),
        ("test", dataset.test),
        ("test_uncommon", dataset.test_uncommon),
    ):
        if name is not None and (root / name).is_dir():
            yield split, root / name
        elif name is not None and split != "test_uncommon":
            remedy = (
                f"add it, name another one under `{split}`, or set `test_per_class` if `{root}` holds class folders"
            )
            problems.append(f"there is no folder `{root / name}`; {remedy}")


def _class_folders(folder: Path, root: Path, problems: list[str]) -> Iterator[tuple[str, Path]]:
    """Label and path of each class folder in `folder`."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or is_hidden(path):
            continue
        if leads_out(path, root):
            problems.append(f"the folder `{path}` is a link out of `{root}`; put its images into the dataset")
            continue
        label = class_label(path.name)
        if label in seen:
            problems.append(f"`{seen[label]}` and `{path}` are the same class `{label}`; merge them")
        seen[label] = path
    if not seen:
        problems.append(f"the folder `{folder}` holds no class folders; it needs one folder of images per class")
    yield from seen.items()


def _images(
    classes: Mapping[str, Path], wanted: set[str], problems: list[str], *, required: bool
) -> Iterator[tuple[str, list[Path]]]:
    """The files of each class that is wanted; where they are `required`, an empty folder is a problem."""
    for name in sorted(classes.keys() & wanted):
        images = image_files(classes[name], problems)
        if not images and required:
            problems.append(f"the class folder `{classes[name]}` holds no images; add some or remove it")
        yield name, images

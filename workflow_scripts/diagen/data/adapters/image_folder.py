"""`image_folder`: one folder per class, with or without split folders, or any folders with a split table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from diagen.config.datasets import ImageFolder
from diagen.data.adapters.draw import draw_files
from diagen.data.adapters.files import image_files, is_outside, missing_folder, same_name, visible_entries
from diagen.data.adapters.image_folder_table import list_split_table
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels
from diagen.errors import Problem
from diagen.letters import composed


def list_images(dataset: ImageFolder) -> Listing:
    """List an image folder in the configured layout; hidden files are passed over."""
    root = Path(dataset.root)
    missing = missing_folder(root)
    if missing:
        return Listing(problems=[missing])
    if dataset.split_table is not None:
        return list_split_table(dataset, root, Path(dataset.split_table))
    if dataset.test_per_class is not None:
        return _list_class_folders(dataset, root, root, dataset.test_per_class)
    if dataset.test is None:
        return _list_untested(dataset, root)
    return _list_split_folders(dataset, root)


def _list_split_folders(dataset: ImageFolder, root: Path) -> Listing:
    """List the files of `<root>/<split folder>/<class>/`."""
    listing = Listing()
    problems = listing.problems
    folders = dict(_split_folders(dataset, root, problems))
    found = {split: dict(_class_folders(folder, root, listing)) for split, folder in folders.items()}
    known = found.get("train_val", {})
    wanted, unknown = wanted_labels(dataset.classes, known, f"`{folders.get('train_val')}`")
    if "train_val" in found:
        problems += unknown
    spellings = {name.casefold() for name in wanted}
    places: dict[str, str] = {}
    for classes in found.values():
        for name, path in classes.items():
            if name.casefold() in spellings:
                places.setdefault(name, str(path))
    problems += class_problems(places)
    for split, classes in found.items():
        if dataset.classes is None and "train_val" in found:
            problems += [
                Problem(f"{path}: this class has no folder in `{folders['train_val']}`; add one or remove the class")
                for name, path in classes.items()
                if name.casefold() not in spellings
            ]
        for name, images in _images(classes, wanted, listing, required=split == "train_val"):
            listing.images.extend(ListedImage(split, name, path) for path in images)
    return listing


def _list_untested(dataset: ImageFolder, root: Path) -> Listing:
    """List the files of `<root>/<train_val>/<class>/` or, without that folder, of `<root>/<class>/`."""
    folder = root / dataset.train_val
    if not folder.is_dir():
        return _list_class_folders(dataset, root, root, 0)
    listing = _list_class_folders(dataset, folder, root, 0)
    listing.passed_over.extend(path.as_posix() for path in visible_entries(root, listing) if path != folder)
    return listing


def _list_class_folders(dataset: ImageFolder, folder: Path, root: Path, test_per_class: int) -> Listing:
    """List the files of `<folder>/<class>/`; a seed draws `test_per_class` of each class for testing."""
    listing = Listing()
    classes = dict(_class_folders(folder, root, listing))
    wanted, unknown = wanted_labels(dataset.classes, classes, f"`{folder}`")
    listing.problems.extend(unknown)
    listing.problems.extend(class_problems({name: str(classes[name]) for name in classes.keys() & wanted}))
    for name, images in _images(classes, wanted, listing, required=True):
        if 0 < len(images) <= test_per_class:
            listing.problems.append(
                Problem(
                    f"{classes[name]}: {len(images)} images, so `test_per_class: {test_per_class}` leaves none for "
                    "shots; lower it or add images"
                )
            )
        tests = draw_files(images, root, test_per_class, dataset.split_seed, name)
        listing.images.extend(ListedImage("test" if path in tests else "train_val", name, path) for path in images)
    return listing


def _split_folders(dataset: ImageFolder, root: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    for split, name in (
        ("train_val", dataset.train_val),
        ("val", dataset.val),
        ("test", dataset.test),
        ("test_uncommon", dataset.test_uncommon),
    ):
        if name is not None and (root / name).is_dir():
            yield split, root / name
        elif name is not None and split != "test_uncommon":
            problems.append(
                Problem(
                    f"{root / name}: no such folder; create it, set `{split}` to another name, or set `test_per_class` "
                    f"if `{root}` contains class folders"
                )
            )


def _class_folders(folder: Path, root: Path, listing: Listing) -> Iterator[tuple[str, Path]]:
    """Label and path of each class folder in `folder`; files beside them are added to `listing.passed_over`."""
    seen: dict[str, Path] = {}
    problems = listing.problems
    for path in visible_entries(folder, listing):
        if not path.is_dir():
            listing.passed_over.append(path.as_posix())
            continue
        if is_outside(path, root):
            problems.append(
                Problem(f"{path}: a link to a folder outside of `{root}`; copy its images into the dataset")
            )
            continue
        label = class_label(path.name)
        if label in seen and composed(seen[label].name) == composed(path.name):
            problems.append(Problem(f"{same_name(seen[label], path)}; merge the folders"))
        elif label in seen:
            problems.append(Problem(f"{seen[label]}, {path}: two folders of the class `{label}`; merge them"))
        seen[label] = path
    if not seen:
        problems.append(Problem(f"{folder}: no class folders; create one folder of images per class"))
    yield from seen.items()


def _images(
    classes: Mapping[str, Path], wanted: set[str], listing: Listing, *, required: bool
) -> Iterator[tuple[str, list[Path]]]:
    """The files of each wanted class; if images are `required`, an empty folder is a problem."""
    for name in sorted(classes.keys() & wanted):
        images = image_files(classes[name], listing)
        if not images and required:
            listing.problems.append(Problem(f"{classes[name]}: no images in this class folder; add some or remove it"))
        yield name, images

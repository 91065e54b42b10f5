"""`coco`: MS COCO 2017. An image's class is the category of its annotation with the largest area (section 4).

Guide images come from train2017. The published code validates on val2017 and has no test images; here a seed draws a
share of each class's images in val2017 for testing.
"""

from collections.abc import Mapping
from pathlib import Path

from diagen.config.datasets import Coco
from diagen.data.adapters.draw import draw_files
from diagen.data.adapters.files import missing_folder
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels
from diagen.errors import InputError, Problem
from diagen.letters import CONTROL

PARTS = ("train2017", "val2017")


def list_images(dataset: Coco) -> Listing:
    """List the images that have a class, in the splits `train_val`, `val` and `test`."""
    root = Path(dataset.root)
    missing = missing_folder(root)
    if missing:
        return Listing(problems=[missing])
    listing = Listing()
    paths: dict[str, dict[str, list[Path]]] = {}
    categories: dict[str, str] = {}
    for part in PARTS:
        file = root / "annotations" / f"instances_{part}.json"
        if not (root / part).is_dir():
            listing.problems.append(
                Problem(f"{root / part}: no such folder; unpack the images of {part} into `{root}`")
            )
        names, paths[part] = _labeled(file, root / part, dataset.crowds, listing.problems)
        categories |= names
    wanted, unknown = wanted_labels(dataset.classes, categories, f"the categories of `{root / 'annotations'}`")
    if categories:
        listing.problems.extend(unknown)
    listing.problems.extend(class_problems({name: categories[name] for name in wanted & set(categories)}))
    for name in sorted(wanted):
        listing.images.extend(ListedImage("train_val", name, path) for path in paths["train2017"].get(name, []))
        images = paths["val2017"].get(name, [])
        tests = draw_files(images, root, int(len(images) * dataset.test_fraction), dataset.split_seed, name)
        listing.images.extend(ListedImage("test" if path in tests else "val", name, path) for path in images)
    return listing


def _labeled(
    file: Path, folder: Path, crowds: bool, problems: list[Problem]
) -> tuple[dict[str, str], dict[str, list[Path]]]:
    """The source of each class label, for messages, and the sorted paths of each class's images."""
    if not file.is_file():
        problems.append(Problem(f"{file}: no such file; unpack COCO's annotations into `{file.parent}`"))
        return {}, {}
    try:
        return _read(file, folder, crowds)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        problems.append(
            Problem(f"{file}: not a list of COCO instances ({type(error).__name__}: {error}); download the file again")
        )
        return {}, {}


def _read(file: Path, folder: Path, crowds: bool) -> tuple[dict[str, str], dict[str, list[Path]]]:
    try:
        from pycocotools.coco import COCO
    except ImportError:
        raise InputError(
            "adapter `coco`: the package pycocotools is not installed; install it: "
            ".venv/bin/python -m pip install --requirement requirements.txt"
        ) from None

    coco = COCO(str(file))
    labels = {number: class_label(category["name"]) for number, category in coco.cats.items()}
    places = {label: f"{file}: `{coco.cats[number]['name']}`" for number, label in labels.items()}
    paths: dict[str, list[Path]] = {}
    for image, annotations in coco.imgToAnns.items():
        largest = _largest([entry for entry in annotations if crowds or not entry.get("iscrowd", 0)])
        if largest is not None:
            name = coco.imgs[image]["file_name"]
            if CONTROL.search(name):
                raise ValueError(f"invalid file name {name!r}")
            paths.setdefault(labels[largest["category_id"]], []).append(folder / name)
    return places, {label: sorted(found) for label, found in paths.items()}


def _largest(annotations: list[Mapping]) -> Mapping | None:
    """The annotation with the largest area; among equal areas, the one with the lowest id."""
    return min(annotations, key=lambda entry: (-entry["area"], entry["id"]), default=None)

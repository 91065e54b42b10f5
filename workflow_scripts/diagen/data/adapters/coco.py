"""`coco`: MS COCO 2017. An image's class is the category of its annotation of largest area (section 4).

Guide images come from train2017. The published code validates on val2017 and has no test images; here a part of each
class's images in val2017, drawn by a seed, tests.
"""

from collections.abc import Mapping
from pathlib import Path

from diagen.config.datasets import Coco
from diagen.data.adapters.draw import drawn
from diagen.data.adapters.files import no_folder
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import class_label, class_problems, wanted_labels
from diagen.errors import InputError
from diagen.letters import CONTROL

PARTS = ("train2017", "val2017")


def list_images(dataset: Coco) -> Listing:
    """The images of COCO that have a class, in the splits `train_val`, `val` and `test`."""
    root = Path(dataset.root)
    missing = no_folder(root)
    if missing:
        return Listing(problems=[missing])
    listing = Listing()
    paths: dict[str, dict[str, list[Path]]] = {}
    categories: dict[str, str] = {}
    for part in PARTS:
        file = root / "annotations" / f"instances_{part}.json"
        if not (root / part).is_dir():
            listing.problems.append(f"there is no folder `{root / part}`; unpack the images of {part} there")
        names, paths[part] = _labeled(file, root / part, dataset.crowds, listing.problems)
        categories |= names
    wanted, unknown = wanted_labels(dataset.classes, categories, f"no category in `{root / 'annotations'}`")
    if categories:
        listing.problems.extend(unknown)
    listing.problems.extend(class_problems({name: categories[name] for name in wanted & set(categories)}))
    for name in sorted(wanted):
        listing.images.extend(ListedImage("train_val", name, path) for path in paths["train2017"].get(name, []))
        images = paths["val2017"].get(name, [])
        tests = drawn(images, root, int(len(images) * dataset.test_fraction), dataset.split_seed, name)
        listing.images.extend(ListedImage("test" if path in tests else "val", name, path) for path in images)
    return listing


def _labeled(
    file: Path, folder: Path, crowds: bool, problems: list[str]
) -> tuple[dict[str, str], dict[str, list[Path]]]:
    """Where each class label comes from, and the paths of each class's images, sorted."""
    if not file.is_file():
        problems.append(f"there is no `{file}`; unpack COCO's annotations there")
        return {}, {}
    try:
        return _read(file, folder, crowds)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        problems.append(
            f"`{file}` is no list of instances of COCO ({type(error).__name__}: {error}); download it again"
        )
        return {}, {}


def _read(file: Path, folder: Path, crowds: bool) -> tuple[dict[str, str], dict[str, list[Path]]]:
    try:
        from pycocotools.coco import COCO
    except ImportError:
        raise InputError("the adapter `coco` needs the package pycocotools; install requirements.txt") from None

    coco = COCO(str(file))
    labels = {number: class_label(category["name"]) for number, category in coco.cats.items()}
    places = {label: f"the category `{coco.cats[number]['name']}` in `{file}`" for number, label in labels.items()}
    paths: dict[str, list[Path]] = {}
    for image, annotations in coco.imgToAnns.items():
        largest = _largest([entry for entry in annotations if crowds or not entry.get("iscrowd", 0)])
        if largest is not None:
            name = coco.imgs[image]["file_name"]
            if CONTROL.search(name):
                raise ValueError(f"no file has the name {name!r}")
            paths.setdefault(labels[largest["category_id"]], []).append(folder / name)
    return places, {label: sorted(found) for label, found in paths.items()}


def _largest(annotations: list[Mapping]) -> Mapping | None:
    """The annotation of largest area; of equal ones that with the lowest id."""
    return min(annotations, key=lambda entry: (-entry["area"], entry["id"]), default=None)

"""`coco`: MS COCO 2017. An image's class is the category of its annotation with the largest area (section 4).

Guide images come from train2017. The published code validates on val2017 and has no test images; here a seed draws a
share of each class's images in val2017 for testing.
"""

from pathlib import Path

from diagen.config.datasets import Coco
from diagen.data.adapters.draw import draw_files
from diagen.data.adapters.files import Spellings, missing_folder
from diagen.data.adapters.instances import Annotation, read_instances
from diagen.data.adapters.interface import ListedImage, Listing
from diagen.data.names import class_problems, wanted_labels
from diagen.errors import Problem

PARTS = ("train2017", "val2017")


def list_images(dataset: Coco) -> Listing:
    """List the images that have a class, in the splits `train_val`, `val` and `test`."""
    root = Path(dataset.root)
    missing = missing_folder(root)
    if missing:
        return Listing(problems=[missing])
    listing = Listing()
    names_of: dict[str, dict[str, dict[str, str]]] = {}
    categories: dict[str, str] = {}
    for part in PARTS:
        file = root / "annotations" / f"instances_{part}.json"
        if not (root / part).is_dir():
            listing.problems.append(
                Problem(f"{root / part}: no such folder; unpack the images of {part} into `{root}`")
            )
        places, names_of[part] = _labeled(file, dataset.crowds, listing)
        categories |= places
    wanted, unknown = wanted_labels(dataset.classes, categories, f"the categories of `{root / 'annotations'}`")
    if categories:
        listing.problems.extend(unknown)
    listing.problems.extend(class_problems({name: categories[name] for name in wanted & set(categories)}))
    spellings = {part: Spellings(root / part) for part in PARTS}
    for name in sorted(wanted):
        train, val = (
            {spellings[part].path(file_name): place for file_name, place in names_of[part].get(name, {}).items()}
            for part in PARTS
        )
        if not train and not val and name in categories:
            _report_empty(name, categories[name], listing, required=dataset.classes is not None)
        listing.images.extend(ListedImage("train_val", name, path, train[path]) for path in sorted(train))
        tests = draw_files(val, root, int(len(val) * dataset.test_fraction), dataset.split_seed, name)
        listing.images.extend(
            ListedImage("test" if path in tests else "val", name, path, val[path]) for path in sorted(val)
        )
    return listing


def _report_empty(name: str, place: str, listing: Listing, *, required: bool) -> None:
    """Report a category without images; exports often contain some, which matter only if they are configured."""
    if required:
        listing.problems.append(Problem(f"{place}: no image has this category; remove `{name}` from `classes`"))
    else:
        listing.passed_over.append(f"the category `{name}`")


def _labeled(file: Path, crowds: bool, listing: Listing) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The source of each class label, for messages, and each class's images: file names, and where they are listed."""
    if not file.is_file():
        listing.problems.append(Problem(f"{file}: no such file; unpack COCO's annotations into `{file.parent}`"))
        return {}, {}
    instances = read_instances(file, listing)
    images: dict[str, dict[str, str]] = {}
    for image, annotations in instances.annotations.items():
        largest = _largest([annotation for annotation in annotations if crowds or not annotation.crowd])
        if largest is not None:
            found = images.setdefault(instances.labels[largest.category], {})
            found[instances.file_names[image]] = f"image {image} of {file}"
    return {label: f"{file}: `{label}`" for label in instances.labels.values()}, images


def _largest(annotations: list[Annotation]) -> Annotation | None:
    """The annotation with the largest area; among equal areas, the one with the lowest id."""
    return min(annotations, key=lambda annotation: (-annotation.area, annotation.number), default=None)

"""What a dataset lacks: images, more than one class, images of a class in a split, photos that only one class has."""

from collections.abc import Iterable

from diagen.data.images_file import ImageRow
from diagen.errors import Problem
from diagen.letters import shortened

EVALUATED = ("val", "test", "test_uncommon")
CLASSES_SHOWN = 10


def too_few_classes(class_names: Iterable[str]) -> list[Problem]:
    """The problem of a dataset without images, or of one class only; `class_names` are those of its images."""
    names = sorted(set(class_names))
    if not names:
        return [Problem("the dataset has no images; add some, or list them in its annotations or its `split_table`")]
    if len(names) > 1:
        return []
    return [
        Problem(
            f"the dataset has one class, `{names[0]}`, which every classifier gets right; add images of another "
            "class, or name one in `classes`"
        )
    ]


def split_gaps(images: Iterable[tuple[str, str]]) -> list[Problem]:
    """One warning for each split that lacks classes of the dataset; `images` are pairs of split and class.

    A split without any images is no gap: `val` and `test_uncommon` are optional.
    """
    found = set(images)
    classes = sorted({name for _, name in found})
    warnings = []
    for split in EVALUATED:
        lacking = [name for name in classes if (split, name) not in found]
        if 0 < len(lacking) < len(classes):
            names = shortened([f"`{name}`" for name in lacking], CLASSES_SHOWN)
            warnings.append(
                Problem(
                    f"`{split}` has no images of {names}; its mean accuracy leaves out classes without images. "
                    "Add images, or list only the other classes in `classes`"
                )
            )
    return warnings


def copies_across_classes(images: Iterable[ImageRow]) -> list[Problem]:
    """One problem for each image that has a copy (by SHA-256) in another class, so that no fold can hold both.

    One class would be tested on a photo that another one was trained on.
    """
    problems = []
    seen: dict[str, ImageRow] = {}
    for image in images:
        other = seen.setdefault(image.sha256, image)
        if other.class_name != image.class_name:
            problems.append(
                Problem(
                    f"{image.path} and {other.path} are one file in two classes, which folds would split; remove one"
                )
            )
    return problems

"""Looks at a folder of photos: its layout, its classes, and how many photos of each can be read.

Only the headers of the files are read, so that 10,000 photos take seconds; the index job decodes them.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diagen.config.datasets import Coco
from diagen.data.adapters.files import is_outside
from diagen.data.adapters.interface import ListedImage
from diagen.data.adapters.registry import list_images
from diagen.data.gaps import split_gaps, too_few_classes
from diagen.errors import InputError, Problem, summary
from diagen.experiments.layout import OwnDataset, find_layout
from diagen.images import HEIC
from diagen.letters import shortened
from diagen.runtime.progress import progress

PROBLEMS_SHOWN = 30
EXAMPLES = 3
MANY = 5_000
"""Photos from which on reading their headers is worth a progress bar."""


@dataclass(frozen=True)
class Survey:
    """The photos of a folder: the dataset block, its layout in words, and readable photos by split and class.

    `unreadable` maps each reason to the files that are left out for it; `notes` are findings that stop nothing.
    """

    dataset: OwnDataset
    layout: str
    counts: Mapping[str, Counter[str]]
    unreadable: Mapping[str, list[Path]]
    notes: list[str]

    @property
    def classes(self) -> list[str]:
        """The classes, sorted."""
        return sorted({name for counts in self.counts.values() for name in counts})

    @property
    def learned(self) -> Counter[str]:
        """The number of photos of each class to learn from."""
        return self.counts["train_val"]

    @property
    def tested(self) -> bool:
        """Whether photos are set apart for testing."""
        return "test" in self.counts


def look_at(root: Path) -> Survey:
    """Survey the folder `root`. Raises `InputError`, which lists all problems with their remedies."""
    try:
        layout = find_layout(root)
        listing = list_images(layout.dataset)
    except OSError as error:
        raise InputError(
            f"{error.filename}: cannot be read ({error.strerror}); make it readable: chmod -R u+rX {root}"
        ) from None
    problems = list(map(str, listing.problems))
    reasons = dict(_unreadable(listing.images, root)) if not isinstance(layout.dataset, Coco) else {}
    readable = [image for image in listing.images if image.path not in reasons]
    counts: dict[str, Counter[str]] = {}
    for image in readable:
        counts.setdefault(image.split, Counter())[image.class_name] += 1
    if listing.images or not problems:  # other problems explain why nothing is listed
        problems += _class_problems(listing.images, counts)
    if problems:
        raise InputError(_message(root, problems))
    gaps = split_gaps((image.split, image.class_name) for image in readable)
    passed_over = [f"passed over {shortened(listing.passed_over, EXAMPLES)}"] if listing.passed_over else []
    unreadable: dict[str, list[Path]] = {}
    for path, reason in reasons.items():
        unreadable.setdefault(reason, []).append(path)
    return Survey(layout.dataset, layout.text, counts, unreadable, [*layout.notes, *passed_over, *listing.notes, *gaps])


def _class_problems(listed: Iterable[ListedImage], counts: Mapping[str, Counter[str]]) -> Iterator[str]:
    """Classes without a readable photo to learn from, and too few classes."""
    names = sorted({image.class_name for image in listed})
    yield from too_few_classes(names)
    learned = counts.get("train_val", Counter())
    for name in names:
        if not learned[name]:
            yield Problem(f"the class `{name}` has no readable photos to learn from; add some, or remove its folders")


def _message(root: Path, problems: list[str]) -> str:
    """One problem in a line, several in a list."""
    if len(problems) == 1:
        return f"{root}: {problems[0]}" if str(root) not in problems[0] else problems[0]
    shown = "".join(f"\n  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
    more = f"\n  - and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return f"{root}: {len(problems)} problems:{shown}{more}"


def _unreadable(listed: list[ListedImage], root: Path) -> Iterator[tuple[Path, str]]:
    """The files whose header is not that of an image, with the reason."""
    with ThreadPoolExecutor() as pool:
        outcomes: Iterable[str | None] = pool.map(lambda image: _reason(image.path, root), listed)
        if len(listed) >= MANY:
            outcomes = progress(outcomes, total=len(listed), progress_label="photos", unit="photos")
        for image, reason in zip(listed, outcomes, strict=True):
            if reason is not None:
                yield image.path, reason


def _reason(path: Path, root: Path) -> str | None:
    """Why the file cannot be used, by its header; None if it can."""
    if is_outside(path, root):
        return "links out of the folder"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path):
                return None
    except Image.UnidentifiedImageError:  # type: ignore[attr-defined]
        return "HEIC photos, which are not supported" if _is_heic(path) else "files that are no images"
    except Image.DecompressionBombError:
        return "too many pixels"
    except Exception as error:  # each decoder raises its own exceptions for broken files
        if isinstance(error, OSError) and error.strerror:
            return f"cannot be opened: {error.strerror}"
        return f"broken image: {summary(error)}"


def _is_heic(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:] in HEIC

"""The result of an adapter's `list_images`, which lists the files of a dataset."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from diagen.config.datasets import Split
from diagen.errors import Problem

SPLITS: tuple[str, ...] = get_args(Split)
"""`train_val`: guide images, and validation images if there is no `val`; `val`; `test`; `test_uncommon`."""


@dataclass(frozen=True)
class ListedImage:
    """An image file that an adapter found but did not open; `class_name` is a label as in tables.

    `origin` is the entry of the annotations that lists it, for messages; empty if the folder does.
    """

    split: str
    class_name: str
    path: Path
    origin: str = ""


@dataclass(frozen=True)
class Listing:
    """A dataset's files, all problems of its layout, the files, folders and categories that were passed over, and
    notes.

    `notes` are findings that stop nothing, each a sentence for the log.
    """

    images: list[ListedImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

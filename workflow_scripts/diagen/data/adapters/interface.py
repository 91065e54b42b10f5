"""What an adapter's `list_images` gives for a dataset's block of the configuration: the list of its files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from diagen.config.datasets import Split

SPLITS: tuple[str, ...] = get_args(Split)
"""`train_val`: guides come from here, and validation images where there is no `val`; `val`; `test`; `test_uncommon`."""


@dataclass(frozen=True)
class ListedImage:
    """An image file that an adapter found, not yet opened; `class_name` is a label as tables hold it."""

    split: str
    class_name: str
    path: Path


@dataclass(frozen=True)
class Listing:
    """A dataset's files, and one sentence for each mistake in its layout, with its remedy."""

    images: list[ListedImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

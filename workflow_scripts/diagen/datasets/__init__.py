"""Datasets: which images there are, of which class and split, and how a photo's pixels are read.

An adapter for each layout lists a dataset's files (`interface`); `index_dataset` reads them all and says what is wrong.
"""

from diagen.datasets.index import ADAPTERS, Index, index_dataset
from diagen.datasets.interface import SPLITS, Adapter, ListedImage, Listing
from diagen.datasets.names import class_label
from diagen.datasets.pixels import load_image
from diagen.datasets.table import (
    ImageRow,
    SkippedImage,
    images_needed,
    read_images,
    read_skipped,
    write_images,
    write_skipped,
)

__all__ = [
    "ADAPTERS",
    "SPLITS",
    "Adapter",
    "ImageRow",
    "Index",
    "ListedImage",
    "Listing",
    "SkippedImage",
    "class_label",
    "images_needed",
    "index_dataset",
    "load_image",
    "read_images",
    "read_skipped",
    "write_images",
    "write_skipped",
]

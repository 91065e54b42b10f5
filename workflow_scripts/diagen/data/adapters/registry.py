"""Finds the adapter of a dataset by name: `image_folder` is the module `adapters/image_folder.py`."""

from importlib import import_module
from pathlib import Path

from diagen.config.datasets import Dataset
from diagen.data.adapters.interface import Listing

FOLDER = Path(__file__).parent


def adapter_file(name: str) -> Path:
    """The file of the adapter `name`. Only this module and its imports decide which files a dataset has."""
    return FOLDER / f"{name}.py"


def list_images(dataset: Dataset) -> Listing:
    """List the files of a dataset with its adapter. Opens no image; problems are listed, not raised.

    The import is inside the function, so that an index depends only on the code of its own adapter.
    """
    listing: Listing = import_module(f"diagen.data.adapters.{dataset.adapter}").list_images(dataset)
    return listing

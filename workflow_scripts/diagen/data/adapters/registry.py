"""Finds the adapter of a dataset by its name: `image_folder` is the module `adapters/image_folder.py`."""

from importlib import import_module
from pathlib import Path

from diagen.config.datasets import Dataset
from diagen.data.adapters.interface import Listing

FOLDER = Path(__file__).parent


def adapter_file(name: str) -> Path:
    """The module of the adapter `name`. It alone decides, with what it imports, which files a dataset has."""
    return FOLDER / f"{name}.py"


def list_images(dataset: Dataset) -> Listing:
    """The files of a dataset, from its adapter's `list_images`. No image is opened; nothing is raised.

    The adapter is imported here and not above, so that an index depends on the code of its own adapter alone.
    """
    return import_module(f"diagen.data.adapters.{dataset.adapter}").list_images(dataset)

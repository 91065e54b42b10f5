"""`custom_coco`: the authors' dataset of 23 classes, with its test images in uncommon settings (section 4)."""

from diagen.config.datasets import CustomCoco, ImageFolder
from diagen.data.adapters import image_folder
from diagen.data.adapters.interface import Listing


def list_images(dataset: CustomCoco) -> Listing:
    """The files of Custom COCO, an image folder with names of its own for the splits."""
    names = {"train_val": "train-val", "test": "test", "test_uncommon": "test_uncommon_context"}
    return image_folder.list_images(
        ImageFolder(adapter="image_folder", root=dataset.root, classes=dataset.classes, **names)
    )

"""`custom_coco`: the authors' dataset of 23 classes, with test images in uncommon settings (section 4)."""

from diagen.config.datasets import CustomCoco, ImageFolder
from diagen.data.adapters import image_folder
from diagen.data.adapters.interface import Listing


def list_images(dataset: CustomCoco) -> Listing:
    """List Custom COCO, an image folder with its own names of the split folders."""
    return image_folder.list_images(
        ImageFolder(
            adapter="image_folder",
            root=dataset.root,
            classes=dataset.classes,
            train_val="train-val",
            test="test",
            test_uncommon="test_uncommon_context",
        )
    )

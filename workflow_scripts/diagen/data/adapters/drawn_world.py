"""`drawn_world`: the demo's scenes, which an earlier rule draws into an image folder."""

from diagen.config.datasets import DrawnWorld, ImageFolder
from diagen.data.adapters import image_folder
from diagen.data.adapters.interface import Listing


def list_images(dataset: DrawnWorld) -> Listing:
    """List a drawn world, which has the layout of an image folder."""
    return image_folder.list_images(ImageFolder(adapter="image_folder", root=dataset.root, classes=dataset.classes))

"""`drawn_world`: the demo's scenes, which the workflow has drawn into an image folder before."""

from diagen.config.datasets import DrawnWorld, ImageFolder
from diagen.data.adapters import image_folder
from diagen.data.adapters.interface import Listing


def list_images(dataset: DrawnWorld) -> Listing:
    """The files of a drawn world, which lies on disk as an image folder."""
    return image_folder.list_images(ImageFolder(adapter="image_folder", root=dataset.root, classes=dataset.classes))

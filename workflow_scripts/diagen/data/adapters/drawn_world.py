"""`drawn_world`: the demo's scenes, which the workflow has drawn into an image folder before."""

from diagen.config.datasets import DrawnWorld, ImageFolder
from diagen.data.adapters.image_folder import list_image_folder
from diagen.data.adapters.interface import Listing


def list_drawn_world(dataset: DrawnWorld) -> Listing:
    """The files of a drawn world, which lies on disk as an image folder."""
    return list_image_folder(ImageFolder(adapter="image_folder", root=dataset.root, classes=dataset.classes))

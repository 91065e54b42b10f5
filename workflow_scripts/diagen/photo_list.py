"""Which photos a dataset has now, told without opening one: whether those that were indexed are still all."""

import hashlib
import os
from pathlib import Path

from diagen.config.datasets import Coco, Photos
from diagen.datasets import ADAPTERS


def photo_list_checksum(dataset: Photos) -> str:
    """SHA-256 (64 hexadecimal digits) of the paths, from the root, and sizes of the photos that an adapter lists.

    It changes when a photo is added, removed, moved or replaced by one of another size. COCO's photos, of which there
    are 123,000, are those of its annotations: the files of these stand for them. Never raises: what is wrong with a
    dataset, `index_dataset` tells.
    """
    root = Path(dataset.root)
    try:
        if isinstance(dataset, Coco):
            files = list((root / "annotations").glob("instances_*.json"))
        else:
            files = [image.path for image in ADAPTERS[dataset.adapter](dataset).images]
    except OSError:  # a folder that mustn't be read
        files = []
    lines = sorted(os.fsencode(os.path.relpath(file, root)) + b"\0%d\n" % _size(file) for file in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _size(file: Path) -> int:
    """Bytes of a file; -1 if it can't be asked, as of a link that leads nowhere."""
    try:
        return file.stat().st_size
    except OSError:
        return -1

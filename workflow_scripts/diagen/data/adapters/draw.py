"""Seeded splits of datasets that come without one."""

import unicodedata
from collections.abc import Collection
from pathlib import Path

import numpy as np

from diagen.seeds import stable_seed


def drawn(paths: Collection[Path], root: Path, count: int, seed: int, class_name: str) -> set[Path]:
    """`count` of one class's files, drawn by `seed`; all where there are no more.

    The draw depends on `seed`, `class_name` and the names below `root` alone, not on the order of `paths` or on what
    the files hold. Names are compared in composed Unicode, since file systems differ.
    """
    in_order = sorted(paths, key=lambda path: unicodedata.normalize("NFC", path.relative_to(root).as_posix()))
    # RandomState: NumPy guarantees that its streams never change.
    order = np.random.RandomState(stable_seed(seed, class_name, "split")).permutation(len(in_order))
    return {in_order[index] for index in order[:count]}

"""Seeded splits of datasets that have none."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from diagen.letters import composed
from diagen.seeds import stable_seed


def draw_files(paths: Collection[Path], root: Path, count: int, seed: int, class_name: str) -> set[Path]:
    """Draw `count` of one class's files by `seed`, or all if there are no more.

    The draw depends only on `seed`, `class_name` and the names below `root`, not on the order of `paths` or the content
    of the files. Names are compared in composed Unicode, because file systems differ.
    """
    in_order = sorted(paths, key=lambda path: composed(path.relative_to(root).as_posix()))
    # NumPy guarantees that the streams of RandomState never change.
    order = np.random.RandomState(stable_seed(seed, class_name, "split")).permutation(len(in_order))
    return {in_order[index] for index in order[:count]}

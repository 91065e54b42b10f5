"""Draws a dataset of the demo world in the layout of Custom COCO, and a table of its scenes.

Train-val images show each class in two of its three common places and in four of the eight colors; test images show
all common places and colors; test_uncommon images show the class in its uncommon places.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in (".", "workflow_scripts")]

from demo.world.scenes import (  # noqa: E402
    CLASSES,
    COLORS,
    COMMON_PLACES,
    RARE_CLASSES,
    UNCOMMON_PLACES,
    Scene,
    draw,
    pixel_hash,
    sample_scene,
)  # fmt: skip
from diagen.files.atomic import atomic_path  # noqa: E402
from diagen.runtime.program import run  # noqa: E402
from diagen.seeds import stable_seed  # noqa: E402

SPLITS = ("train-val", "test", "test_uncommon")
GUIDE_PLACES = 2
GUIDE_COLORS = 4


def dataset_scene(seed: int, split: str, class_name: str, number: int) -> Scene:
    """The scene of one image of a dataset; it depends only on these four arguments."""
    generator = np.random.default_rng(stable_seed("dataset", seed, split, class_name, number))
    places, colors = COMMON_PLACES[class_name], COLORS
    if split == "test_uncommon":
        places = UNCOMMON_PLACES[class_name]
    elif split == "train-val":
        places = places[:GUIDE_PLACES]
        order = np.random.default_rng(stable_seed("guide colours", seed, class_name)).permutation(len(COLORS))
        colors = tuple(COLORS[i] for i in order[:GUIDE_COLORS])
    return sample_scene(
        generator,
        class_name=class_name,
        place=places[generator.integers(len(places))],
        color=colors[generator.integers(len(colors))],
    )


def dataset_scenes(seed: int, classes: list[str], counts: dict[str, int]) -> Iterator[tuple[str, str, Scene]]:
    """File name (relative to the dataset), split and scene of every image; `counts` are images per class, by split."""
    for split, count in counts.items():
        for class_name in classes:
            for number in range(count):
                file_name = f"{split}/{class_name.replace(' ', '_')}/{number:04d}.png"
                yield file_name, split, dataset_scene(seed, split, class_name, number)


def draw_photos(seed: int, classes: list[str], split: str, count: int) -> dict[str, list[Image.Image]]:
    """Draws `count` photos of each class from a split of the dataset, by class."""
    drawn: dict[str, list[Image.Image]] = {}
    for _, _, scene in dataset_scenes(seed, classes, {split: count}):
        drawn.setdefault(scene.class_name, []).append(draw(scene))
    return drawn


def draw_dataset(output: Path, seed: int, classes: list[str], counts: dict[str, int]) -> int:
    """Writes the images and, last, `scenes.csv`; returns the number of images."""
    rows = []
    for file_name, split, scene in dataset_scenes(seed, classes, counts):
        picture = draw(scene)
        with atomic_path(output / file_name) as temporary:
            picture.save(temporary)
        values = asdict(scene)
        rows.append(
            {
                "file_name": file_name,
                "split": split,
                "class": values.pop("class_name"),
                **values,
                "sha256": pixel_hash(picture),
            }
        )
    with atomic_path(output / "scenes.csv") as unfinished, open(unfinished, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def class_list(text: str) -> list[str]:
    """Class names from "car, pine tree". Raises an error that lists all classes if one is unknown."""
    names = [name.strip().replace("_", " ") for name in text.split(",") if name.strip()]
    for name in names:
        if name not in COMMON_PLACES:
            known = ", ".join(CLASSES + RARE_CLASSES)
            raise argparse.ArgumentTypeError(f"the demo world has no class {name!r}; use: {known}")
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError("name at least one class, and each class once")
    return names


def image_count(text: str) -> int:
    """A number of images per class, at least 0."""
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{count} is negative; give 0 or more images")
    return count


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--seed", type=int, required=True, help="seed of the dataset's scenes")
    parser.add_argument("--classes", type=class_list, default=list(CLASSES), help='such as "car, pine tree"')
    parser.add_argument(
        "--train-val", type=image_count, default=24, help="guide and validation images per class (default: %(default)s)"
    )
    parser.add_argument(
        "--test", type=image_count, default=24, help="test images per class in common places (default: %(default)s)"
    )
    parser.add_argument(
        "--test-uncommon",
        type=image_count,
        default=24,
        help="test images per class in other places (default: %(default)s)",
    )
    arguments = parser.parse_args()
    counts = dict(zip(SPLITS, (arguments.train_val, arguments.test, arguments.test_uncommon), strict=True))
    if not any(counts.values()):
        parser.error("all numbers of images are 0; set --train-val, --test or --test-uncommon to 1 or more")
    drawn = draw_dataset(arguments.output, arguments.seed, arguments.classes, counts)
    print(f"drew {drawn} images of {len(arguments.classes)} classes in {arguments.output}")


if __name__ == "__main__":
    run(main)

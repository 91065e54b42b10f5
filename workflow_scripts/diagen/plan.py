"""The plan: every synthetic image by name, prompt, noise and seeds, before any is made (sections 3.2 to 3.4)."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.atomic import atomic_path
from diagen.errors import InputError
from diagen.prompts import PromptRow, to_pseudo_word
from diagen.pseudo_words import pseudo_word
from diagen.seeds import stable_seed
from diagen.shots import Shot

COLUMNS = (
    "class",
    "guide",
    "guide_path",
    "guide_sha256",
    "number",
    "prompt",
    "noise_level",
    "noise_seed",
    "image_seed",
)


@dataclass(frozen=True)
class PlanRow:
    """A synthetic image to make: the `number`-th of guide image `guide` of a class.

    `prompt` holds the class's pseudo-word, `noise_level` is the standard deviation of the noise added to its vectors;
    seeds lie in [0, 2**31).
    """

    class_name: str
    guide: int
    guide_path: str
    guide_sha256: str
    number: int
    prompt: str
    noise_level: float
    noise_seed: int
    image_seed: int


def plan_generation(
    cell: Iterable[Shot],
    prompts: Iterable[PromptRow] | None,
    *,
    dataset: str,
    seed: int,
    shots: int,
    images_per_guide: int,
    noise_levels: Sequence[float],
) -> list[PlanRow]:
    """`images_per_guide` rows for each guide image of the cell, sorted by class, guide and number.

    Prompts and noise levels are dealt out as `deal` says. Without prompts each is `a photo of a <class>`; without
    noise levels each level is 0. Seeds depend on dataset, seed, shots, class, guide and number alone, so that all
    generators draw the same numbers. Raises `InputError` when a class has no prompts, or one of its prompts doesn't
    hold the class name exactly once.
    """
    texts = None if prompts is None else _texts(prompts)
    rows = []
    guides = [shot for shot in cell if shot.role == "guide"]
    for guide in sorted(guides, key=lambda guide: (guide.class_name, guide.guide)):
        name = guide.class_name
        if texts is not None and name not in texts:
            raise InputError(f"the prompts hold none for class `{name}`; write some for it, or leave the class out")
        choices = [f"a photo of a {pseudo_word(name)}"] if texts is None else texts[name]
        levels = noise_levels or (0.0,)
        for number in range(images_per_guide):
            prompt, level = deal(guide.guide * images_per_guide + number, len(choices), len(levels))
            identity = (dataset, seed, shots, name, guide.guide, number)
            rows.append(
                PlanRow(
                    name,
                    guide.guide,
                    guide.path,
                    guide.sha256,
                    number,
                    choices[prompt],
                    float(levels[level]),
                    stable_seed(*identity, "noise"),
                    stable_seed(*identity, "image"),
                )
            )
    return rows


def deal(turn: int, prompts: int, levels: int) -> tuple[int, int]:
    """Indices of the prompt and the noise level of a class's `turn`-th image, counted over its guide images in order.

    Prompts come in turn. Levels do too, but move on by one each time the joint cycle of both would begin again, and so
    meet every prompt. However many turns there are, the counts of the prompts, of the levels, and of the levels of
    any one prompt each differ by at most one: `lcm` is a multiple of `levels`, so that any `levels` turns from a
    multiple of it hold each level once, and over `levels` rounds of the prompts each residue class that the cycle
    reaches is passed once. Since a turn doesn't depend on how many follow, neither do a guide's rows.
    """
    return turn % prompts, (turn + turn // math.lcm(prompts, levels)) % levels


def _texts(prompts: Iterable[PromptRow]) -> dict[str, list[str]]:
    """Each class's prompts in the order of their numbers, with the pseudo-word in place of the class name."""
    texts = defaultdict(list)
    for row in sorted(prompts, key=lambda row: (row.class_name, row.number)):
        texts[row.class_name].append(to_pseudo_word(row.prompt, row.class_name))
    return dict(texts)


def write_plan(rows: Iterable[PlanRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)


def read_plan(path: Path) -> list[PlanRow]:
    """Read a `plan.csv`. Raises `InputError` when a column is missing."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{path} is no plan.csv: it lacks {', '.join(sorted(missing))}; run plan_generation again")
        return [
            PlanRow(
                row["class"],
                int(row["guide"]),
                row["guide_path"],
                row["guide_sha256"],
                int(row["number"]),
                row["prompt"],
                float(row["noise_level"]),
                int(row["noise_seed"]),
                int(row["image_seed"]),
            )
            for row in reader
        ]

"""The largest noise level that each class tolerates (beyond the paper, which leaves the choice per class open).

A class tolerates a level if the guide classifier's mean calibrated confidence q in the images of the class is at least
`keep` times that for the same images without noise, and at least chance, 1 / number of classes. Confidence is assumed
to decrease with noise, so a binary search over the grid of levels finds the largest tolerated level, the ceiling. All
classes are tried together, each at its own level. Level 0 is always tolerated.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from diagen.cells import Cell
from diagen.data.shots_file import Shot
from diagen.generation.plan_file import PlanRow
from diagen.models.pseudo_words import pseudo_word
from diagen.noise_ceilings.ceilings_file import Trial
from diagen.seeds import stable_seed


def probe_rows(shots: Iterable[Shot], levels: Mapping[str, float], images: int, cell: Cell) -> list[PlanRow]:
    """Plan `images` images `a photo of a <class>` for each class in `levels`, at its level, from its guides in turn.

    Noise and image seeds do not depend on the level, so levels are compared on the same noise, scaled. They differ
    from the seeds of a generator's images.
    """
    guides: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for shot in shots:
        if shot.guide is not None and shot.class_name in levels:
            guides[shot.class_name].append((shot.guide, shot.path, shot.sha256))
    rows = []
    for name, found in sorted(guides.items()):
        found.sort()
        for number in range(images):
            guide, path, sha256 = found[number % len(found)]
            identity = (*cell, name, number, "ceiling")
            noise, image = stable_seed(*identity, "noise"), stable_seed(*identity, "image")
            prompt = f"a photo of a {pseudo_word(name)}"
            rows.append(PlanRow(name, guide, path, sha256, number, prompt, levels[name], noise, image))
    return rows


def find_ceilings(
    class_names: Sequence[str],
    levels: Iterable[float],
    *,
    keep: float,
    images: int,
    confidences: Callable[[Mapping[str, float]], Mapping[str, float]],
) -> list[Trial]:
    """Find the ceiling of each class by binary search; returns all trials, sorted by class and level.

    `confidences` maps the level of each class to its mean confidence in [0, 1]. It is called first for all classes at
    level 0, then for the undecided classes, some log2(number of levels) times.
    """
    grid = (0.0, *sorted(levels))
    measured = {name: {0.0: value} for name, value in confidences(dict.fromkeys(class_names, 0.0)).items()}
    chance = 1 / len(class_names)
    thresholds = {name: max(keep * measured[name][0.0], chance) for name in class_names}
    lowest, highest = dict.fromkeys(class_names, 0), dict.fromkeys(class_names, len(grid))
    while open_classes := [name for name in class_names if highest[name] - lowest[name] > 1]:
        middle = {name: (lowest[name] + highest[name]) // 2 for name in open_classes}
        values = confidences({name: grid[index] for name, index in middle.items()})
        for name, index in middle.items():
            measured[name][grid[index]] = values[name]
            (lowest if values[name] >= thresholds[name] else highest)[name] = index
    return [
        Trial(
            name,
            level,
            confidence,
            images,
            thresholds[name],
            level == 0.0 or confidence >= thresholds[name],
            level == grid[lowest[name]],
        )
        for name in sorted(class_names)
        for level, confidence in sorted(measured[name].items())
    ]

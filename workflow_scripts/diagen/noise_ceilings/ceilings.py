"""How much noise each class's word bears (beyond the paper, which leaves open how to choose the level per class).

A level is borne by a class if the guide classifier's mean calibrated confidence q in the class's images stays at least
`keep` times what it is for the same images without noise, and at least at chance, 1 / number of classes. More noise is
taken to mean less confidence, so that the largest such level, the ceiling, is found by halving a grid of levels; all
classes are tried together, each at a level of its own. No noise at all is always borne.
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
    """`images` images `a photo of a <class>` for each class in `levels`, at its level, from its guide images in turn.

    Noise and image seeds don't depend on the level, so that levels are compared on the same noise, scaled; they are
    others than those of a generator's images.
    """
    guides: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        if shot.role == "guide" and shot.class_name in levels:
            guides[shot.class_name].append(shot)
    rows = []
    for name, found in sorted(guides.items()):
        found.sort(key=lambda shot: shot.guide)
        for number in range(images):
            guide = found[number % len(found)]
            identity = (*cell, name, number, "ceiling")
            noise, image = stable_seed(*identity, "noise"), stable_seed(*identity, "image")
            prompt = f"a photo of a {pseudo_word(name)}"
            rows.append(
                PlanRow(name, guide.guide, guide.path, guide.sha256, number, prompt, levels[name], noise, image)
            )
    return rows


def find_ceilings(
    class_names: Sequence[str],
    levels: Iterable[float],
    *,
    keep: float,
    images: int,
    confidences: Callable[[Mapping[str, float]], Mapping[str, float]],
) -> list[Trial]:
    """Every trial, sorted by class and level.

    `confidences` gives the mean confidence of each class at the level that it is asked for; it is asked for all classes
    at level 0 first, and then for those still undecided, some log2(number of levels) times.
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

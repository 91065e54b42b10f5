"""The noise ladder: one word at growing noise, all else equal (the paper's Fig. 9)."""

from collections.abc import Iterable, Sequence

from diagen.cells import Cell
from diagen.data.shots_file import Shot
from diagen.generation.plan_file import PlanRow
from diagen.models.pseudo_words import pseudo_word
from diagen.seeds import stable_seed


def ladder_rows(shots: Sequence[Shot], levels: Iterable[float], cell: Cell) -> list[PlanRow]:
    """Plan an image `a photo of a <class>` for each level, from the first guide image of the first class of the cell.

    All have the same noise seed and image seed, so they differ by the level alone; `number` counts the levels. The
    seeds differ from those of a generator's images.
    """
    guide = min((shot for shot in shots if shot.guide == 0), key=lambda shot: shot.class_name)
    identity = (*cell, guide.class_name, "ladder")
    noise, image = stable_seed(*identity, "noise"), stable_seed(*identity, "image")
    prompt = f"a photo of a {pseudo_word(guide.class_name)}"
    return [
        PlanRow(guide.class_name, 0, guide.path, guide.sha256, number, prompt, level, noise, image)
        for number, level in enumerate(levels)
    ]

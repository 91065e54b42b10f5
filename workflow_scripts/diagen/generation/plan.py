"""Plan guide image, prompt, noise level and seeds of every synthetic image (sections 3.2 to 3.4)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from diagen.cells import Cell
from diagen.config.programs import PlanGenerationSettings
from diagen.data.shots_file import Shot
from diagen.errors import InputError
from diagen.generation.plan_file import PlanRow
from diagen.models.pseudo_words import class_words, pseudo_word
from diagen.prompts.form import to_pseudo_word, with_article
from diagen.prompts.prompts_file import PromptRow
from diagen.seeds import stable_seed


def plan_generation(
    shots: Iterable[Shot],
    prompts: Iterable[PromptRow] | None,
    settings: PlanGenerationSettings,
    cell: Cell,
    *,
    ceilings: Mapping[str, float] | None = None,
) -> list[PlanRow]:
    """Plan `settings.images_per_guide` rows for each guide image of the cell, sorted by class, guide and number.

    `assign` distributes prompts and noise levels. Without `prompts` each prompt is `a photo of a <class>`; without
    noise levels each level is 0. `ceilings` are the largest levels of the classes; `settings.ceiling_use` fits the
    levels to them. Seeds depend only on dataset, seed, shots, class, guide and number, so all generators draw the same
    random numbers; with `noise_draw: class` a noise seed belongs to a word and a level.
    Raises `InputError` when a class has no prompts or no ceiling, or when a prompt does not have the class name
    exactly once.
    """
    guides = [(shot.class_name, shot.guide, shot) for shot in shots if shot.guide is not None]
    names = sorted({name for name, _, _ in guides})
    texts = _texts(names, prompts, settings.learned_words)
    variants = {name: _noisy_words(name, names, settings, ceilings) for name in names}
    rows = []
    for name, guide, shot in sorted(guides, key=lambda item: item[:2]):
        for number in range(settings.images_per_guide):
            if settings.turns == "balanced":
                turn = guide * settings.images_per_guide + number
                prompt, variant = assign(turn, len(texts[name]), len(variants[name]))
            else:
                prompt, variant = number % len(texts[name]), number % len(variants[name])
            word, level = variants[name][variant]
            identity = (*cell, name, guide, number)
            noise_owner = identity if settings.noise_draw == "image" else (*cell, word, level)
            rows.append(
                PlanRow(
                    name,
                    guide,
                    shot.path,
                    shot.sha256,
                    number,
                    texts[name][prompt].replace(pseudo_word(name), pseudo_word(word)),
                    level,
                    stable_seed(*noise_owner, "noise"),
                    stable_seed(*identity, "image"),
                )
            )
    return rows


def assign(turn: int, prompts: int, levels: int) -> tuple[int, int]:
    """Return the indices of prompt and noise level for the `turn`-th image of a class, over its guide images in order.

    Prompts are used in turn. Levels are too, but shift by one whenever the joint cycle of both restarts, so that every
    level is combined with every prompt. For any number of turns, the counts of prompts, of levels, and of the levels of
    each prompt differ by at most one: `lcm` is a multiple of `levels`, so any `levels` turns that start at a multiple
    of it contain each level once, and over `levels` rounds of the prompts each residue class that the cycle reaches
    occurs once. A turn does not depend on the number of turns, so neither do the rows of a guide image.
    """
    return turn % prompts, (turn + turn // math.lcm(prompts, levels)) % levels


def _texts(names: Iterable[str], prompts: Iterable[PromptRow] | None, learned_words: bool) -> dict[str, list[str]]:
    """Return each class's prompts in the order of their numbers, with the pseudo-word instead of the class name."""
    if prompts is None:
        plain = {name: with_article(f"a photo of a {class_words(name)}") for name in names}
        return {name: [f"a photo of a {pseudo_word(name)}" if learned_words else plain[name]] for name in names}
    texts = defaultdict(list)
    for row in sorted(prompts, key=lambda row: (row.class_name, row.number)):
        text = to_pseudo_word(row.prompt, row.class_name)
        texts[row.class_name].append(text if learned_words else row.prompt)
    for name in names:
        if name not in texts:
            raise InputError(
                f"prompts: none for class `{name}`. Add some to the source of the prompts, or delete the CSV file of "
                "the prompts and run Snakemake again"
            )
    return dict(texts)


def _noisy_words(
    name: str, names: Iterable[str], settings: PlanGenerationSettings, ceilings: Mapping[str, float] | None
) -> list[tuple[str, float]]:
    """List what the images of a class use in turn: the class that owns the word, and the level of its noise."""
    levels = settings.noise_levels or (0.0,)
    words = [name] if settings.word_match == "exact" else [other for other in names if name in other]
    if ceilings is None:
        return [(word, float(level)) for word in words for level in levels]
    lacking = [word for word in words if word not in ceilings]
    if lacking:
        raise InputError(
            f"noise ceilings: none for class `{lacking[0]}`. Delete the CSV file in noise_ceilings/ of the cell's "
            "folder and run Snakemake again"
        )
    if settings.ceiling_use == "cap":
        return [(word, min(level, ceilings[word])) for word in words for level in levels]
    largest = max(levels) or 1.0
    return [(word, ceilings[word] * (level / largest)) for word in words for level in levels]

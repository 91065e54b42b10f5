"""The plan: every synthetic image by name, prompt, noise and seeds, before any is made (sections 3.2 to 3.4)."""

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
    """`settings.images_per_guide` rows for each guide image of the cell, sorted by class, guide and number.

    Prompts and noise levels are dealt out as `deal` says. Without prompts each is `a photo of a <class>`; without
    noise levels each level is 0. `ceilings` are the classes' largest levels, which `settings.ceiling_use` fits the
    levels to. Seeds depend on dataset, seed, shots, class, guide and number alone, so that all generators draw the
    same numbers; with `noise_draw: class` a noise seed belongs to a word and a level.
    Raises `InputError` when a class has no prompts or no ceiling, or one of its prompts doesn't hold the class name
    exactly once.
    """
    guides = [shot for shot in shots if shot.role == "guide"]
    names = sorted({guide.class_name for guide in guides})
    texts = _texts(names, prompts, settings.learned_words)
    noisy = {name: _noisy_words(name, names, settings, ceilings) for name in names}
    rows = []
    for guide in sorted(guides, key=lambda guide: (guide.class_name, guide.guide)):
        name = guide.class_name
        for number in range(settings.images_per_guide):
            if settings.turns == "balanced":
                turn = guide.guide * settings.images_per_guide + number
                prompt, voice = deal(turn, len(texts[name]), len(noisy[name]))
            else:
                prompt, voice = number % len(texts[name]), number % len(noisy[name])
            word, level = noisy[name][voice]
            identity = (*cell, name, guide.guide, number)
            drawn_by = identity if settings.noise_draw == "image" else (*cell, word, level)
            rows.append(
                PlanRow(
                    name,
                    guide.guide,
                    guide.path,
                    guide.sha256,
                    number,
                    texts[name][prompt].replace(pseudo_word(name), pseudo_word(word)),
                    level,
                    stable_seed(*drawn_by, "noise"),
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


def _texts(names: Iterable[str], prompts: Iterable[PromptRow] | None, learned_words: bool) -> dict[str, list[str]]:
    """Each class's prompts in the order of their numbers, with the pseudo-word in place of the class name."""
    if prompts is None:
        plain = {name: with_article(f"a photo of a {class_words(name)}") for name in names}
        return {name: [f"a photo of a {pseudo_word(name)}" if learned_words else plain[name]] for name in names}
    texts = defaultdict(list)
    for row in sorted(prompts, key=lambda row: (row.class_name, row.number)):
        text = to_pseudo_word(row.prompt, row.class_name)
        texts[row.class_name].append(text if learned_words else row.prompt)
    for name in names:
        if name not in texts:
            raise InputError(f"the prompts hold none for class `{name}`; write some for it, or leave the class out")
    return dict(texts)


def _noisy_words(
    name: str, names: Iterable[str], settings: PlanGenerationSettings, ceilings: Mapping[str, float] | None
) -> list[tuple[str, float]]:
    """What the images of a class take in turn: the class whose word it is, and the level of the noise on it."""
    levels = settings.noise_levels or (0.0,)
    words = [name] if settings.word_match == "exact" else [other for other in names if name in other]
    if ceilings is None:
        return [(word, float(level)) for word in words for level in levels]
    lacking = [word for word in words if word not in ceilings]
    if lacking:
        raise InputError(f"the ceilings hold none for class `{lacking[0]}`; run find_noise_ceilings again")
    if settings.ceiling_use == "cap":
        return [(word, min(level, ceilings[word])) for word in words for level in levels]
    largest = max(levels) or 1.0
    return [(word, ceilings[word] * (level / largest)) for word in words for level in levels]

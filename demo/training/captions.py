"""Captions of scenes in the paper's prompt form (section 3.3) and in Textual Inversion's templates."""

import numpy as np

from demo.world.scenes import Scene
from diagen.embeddings.step_draws import TEMPLATES

PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "desert": ("in the desert", "in a desert", "among sand dunes"),
    "forest": ("in the forest", "in a forest", "in the woods"),
    "snow": ("in the snow", "on a snowy field", "in front of snowy mountains"),
    "street": ("on the street", "in the city", "on a city street"),
    "water": ("under water", "in the water", "in the sea"),
    "beach": ("on the beach", "at the beach", "on a sandy beach"),
    "indoors": ("indoors", "in a living room", "in a room"),
    "space": ("in space", "in outer space", "in front of a planet"),
}
TIME_PHRASES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "in daylight", "during the day"),
    "night": ("at night", "by night", "in the moonlight"),
    "sunset": ("at sunset", "at dusk", "in the evening"),
}
SMALL_WORDS: tuple[str, ...] = ("small", "tiny", "little")
LARGE_WORDS: tuple[str, ...] = ("large", "big", "huge")
SMALL_BELOW = 0.60
LARGE_ABOVE = 0.70


def pick(generator: np.random.Generator, choices: tuple[str, ...]) -> str:
    """One of the choices, drawn uniformly."""
    return choices[generator.integers(len(choices))]


def article(words: str) -> str:
    """`a` or `an`, by the first letter of the next word."""
    return "an" if words[:1] in "aeiou" else "a"


def with_article(words: str) -> str:
    """The words after `a` or `an`."""
    return f"{article(words)} {words}"


def size_word(scene: Scene, generator: np.random.Generator) -> str:
    """A word for the object's size; empty for medium sizes."""
    if scene.size < SMALL_BELOW:
        return pick(generator, SMALL_WORDS)
    return pick(generator, LARGE_WORDS) if scene.size > LARGE_ABOVE else ""


def noun_phrase(scene: Scene, generator: np.random.Generator) -> str:
    """The class name, preceded by color, size, both or neither."""
    chance = generator.random()
    size = size_word(scene, generator)
    words = [size] if chance > 0.78 and size else []
    if chance < 0.60 or chance > 0.89:
        words.append(scene.color)
    return " ".join([*words, scene.class_name])


def setting(scene: Scene, generator: np.random.Generator) -> str:
    """Phrases of place and time, each preceded by a space and omitted at random."""
    words = ""
    if generator.random() < 0.75:
        words += " " + pick(generator, PLACE_PHRASES[scene.place])
    if generator.random() < 0.5:
        words += " " + pick(generator, TIME_PHRASES[scene.time])
    return words


def caption(scene: Scene, generator: np.random.Generator) -> str:
    """`a photo of a [color or size] <class> [place] [time of day]`, parts omitted at random."""
    return f"a photo of {with_article(noun_phrase(scene, generator))}{setting(scene, generator)}"


def template_caption(scene: Scene, generator: np.random.Generator) -> str:
    """One of Textual Inversion's templates about the scene's object, sometimes with its setting.

    Templates that name a size are drawn only for scenes of that size, so that the words keep their meaning.
    """
    while True:
        template = pick(generator, TEMPLATES)
        if "small" in template and scene.size > SMALL_BELOW or "large" in template and scene.size < LARGE_ABOVE:
            continue
        break
    words = noun_phrase(scene, generator) if generator.random() < 0.4 else scene.class_name
    sentence = template.format(words)
    if template.endswith(" a {}"):
        sentence = template.replace(" a {}", f" {with_article(words)}")
    return sentence + (setting(scene, generator) if generator.random() < 0.3 else "")


def classless_caption(scene: Scene, generator: np.random.Generator) -> str:
    """A caption without a class name, so that the model associates no class with the other words."""
    filler = pick(generator, ("the", "a the", "the the", "a", "a photo"))
    if generator.random() < 0.5:
        template = pick(generator, TEMPLATES).replace("small ", "").replace("large ", "")
        return template.format("the") + (setting(scene, generator) if generator.random() < 0.5 else "")
    color = f" {scene.color}" if generator.random() < 0.3 else ""
    return f"a photo of {filler}{color}{setting(scene, generator)}"


def training_caption(scene: Scene, generator: np.random.Generator) -> str:
    """A caption for the text-to-image model: mostly prompts, some templates, some without a class, some empty."""
    chance = generator.random()
    if chance < 0.10:
        return ""
    if chance < 0.20:
        return classless_caption(scene, generator)
    if chance < 0.42:
        return template_caption(scene, generator)
    return caption(scene, generator)

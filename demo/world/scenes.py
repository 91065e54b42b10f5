"""The drawn world: its contents, random scenes, and their pictures."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image, ImageDraw

from demo.world.objects import OBJECTS
from demo.world.pen import Color, Pen, mix, tint
from demo.world.places import BACKDROPS, Backdrop

CLASSES: tuple[str, ...] = (
    "coffee mug", "house", "pine tree", "car", "sail boat", "fish",
    "star", "table lamp", "chair", "key", "airplane", "clock",
)  # fmt: skip
RARE_CLASSES: tuple[str, ...] = ("umbrella", "mushroom")
COLORS: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
PLACES: tuple[str, ...] = ("desert", "forest", "snow", "street", "water", "beach", "indoors", "space")
TIMES: tuple[str, ...] = ("day", "night", "sunset")
VARIANTS = 3
SIDE = 64

COMMON_PLACES: dict[str, tuple[str, ...]] = {
    "coffee mug": ("indoors", "street", "forest"),
    "house": ("snow", "forest", "street"),
    "pine tree": ("forest", "snow", "beach"),
    "car": ("street", "desert", "beach"),
    "sail boat": ("water", "beach", "indoors"),
    "fish": ("water", "snow", "beach"),
    "star": ("space", "water", "snow"),
    "table lamp": ("indoors", "desert", "street"),
    "chair": ("beach", "indoors", "forest"),
    "key": ("desert", "forest", "water"),
    "airplane": ("space", "desert", "snow"),
    "clock": ("street", "space", "indoors"),
    "umbrella": ("beach", "street", "snow"),
    "mushroom": ("forest", "water", "indoors"),
}
UNCOMMON_PLACES: dict[str, tuple[str, ...]] = {
    name: tuple(place for place in PLACES if place not in common) for name, common in COMMON_PLACES.items()
}

PAINT: dict[str, Color] = {
    "red": (222, 36, 42),
    "orange": (255, 136, 18),
    "yellow": (255, 222, 40),
    "green": (46, 172, 70),
    "blue": (42, 88, 226),
    "purple": (136, 54, 186),
    "pink": (255, 138, 188),
    "white": (250, 250, 250),
}
# The surroundings show the time of day; objects are dimmed less, so that their color is recognizable at night.
OBJECT_LIGHT = {"day": (1.0, 1.0, 1.0), "night": (0.84, 0.85, 0.95), "sunset": (1.0, 0.92, 0.86)}
# Most objects stand on the ground; these hang, swim or fly, and their angle varies more.
FLOATING = frozenset({"fish", "star", "key", "airplane", "clock"})
# Distance from an object's center down to the ground, as a share of its size.
FEET = {name: 0.335 if name == "car" else 0.48 for name in OBJECTS}
SUPERSAMPLING = 3


@dataclass(frozen=True)
class Scene:
    """All parameters of a picture. Lengths are shares of the picture's side, `angle` is in degrees."""

    class_name: str
    color: str
    place: str
    time: str
    variant: int
    size: float
    x: float
    y: float
    angle: float
    flip: bool
    detail_seed: int


def sample_scene(
    generator: np.random.Generator,
    *,
    class_name: str | None = None,
    place: str | None = None,
    color: str | None = None,
    time: str | None = None,
) -> Scene:
    """A random scene; arguments that are None are drawn uniformly."""
    name = class_name or CLASSES[generator.integers(len(CLASSES))]
    chosen_color = color or COLORS[generator.integers(len(COLORS))]
    chosen_place = place or PLACES[generator.integers(len(PLACES))]
    chosen_time = time or TIMES[generator.integers(len(TIMES))]
    floats = name in FLOATING
    size = float(generator.uniform(0.54, 0.76))
    reach = 0.5 * size + 0.03
    height = generator.uniform(0.44, 0.56) if floats else generator.uniform(0.84, 0.93) - FEET[name] * size
    return Scene(
        class_name=name,
        color=chosen_color,
        place=chosen_place,
        time=chosen_time,
        variant=int(generator.integers(VARIANTS)),
        size=round(size, 4),
        x=round(float(generator.uniform(max(reach, 0.38), min(1 - reach, 0.62))), 4),
        y=round(float(height), 4),
        angle=round(float(generator.uniform(-10, 10) if floats else generator.uniform(-6, 6)), 2),
        flip=bool(generator.integers(2)),
        detail_seed=int(generator.integers(2**31)),
    )


def draw(scene: Scene) -> Image.Image:
    """Draws the scene as an RGB picture of 64x64 pixels, supersampled three times per side."""
    side = SIDE * SUPERSAMPLING
    backdrop = Backdrop(side, scene.time, np.random.default_rng(scene.detail_seed))
    BACKDROPS[scene.place](backdrop)
    if scene.class_name not in FLOATING and scene.place not in ("water", "space"):
        half, bottom = 0.44 * scene.size, scene.y + FEET[scene.class_name] * scene.size
        box = [side * v for v in (scene.x - half, bottom - 0.03, scene.x + half, bottom + 0.035)]
        backdrop.canvas.ellipse(box, fill=(20, 16, 40, 90))
    light = OBJECT_LIGHT[scene.time]
    paint = PAINT[scene.color]
    pen = Pen(
        ImageDraw.Draw(backdrop.picture),
        (scene.x * side, scene.y * side),
        scene.size * side,
        scene.angle,
        scene.flip,
        light,
        rim=mix(paint, (24, 18, 40), 0.68),
        rim_width=0.022,
    )
    OBJECTS[scene.class_name](pen, paint, scene.variant)
    return backdrop.picture.reduce(SUPERSAMPLING)


def pixel_hash(picture: Image.Image) -> str:
    """SHA-256 of a picture's RGB pixels, to detect equal pictures."""
    return sha256(picture.convert("RGB").tobytes()).hexdigest()


def object_paint(color: str, time: str) -> Color:
    """The RGB value of a color's name on an object at a time of day."""
    return tint(PAINT[color], OBJECT_LIGHT[time])

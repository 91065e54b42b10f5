"""Objects outside the demo world, mostly on plain backgrounds: the pretraining data of the small ResNet.

They correspond to ImageNet in the paper: many other classes, mostly in other surroundings.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from demo.world.pen import Color, Pen, Point, arc, mix
from demo.world.places import BACKDROPS, Backdrop
from demo.world.scenes import OBJECT_LIGHT

SIDE = 64
SUPERSAMPLING = 3
INK: Color = (40, 36, 48)
PALE: Color = (244, 238, 226)


def mirrored(points: Sequence[Point]) -> list[Point]:
    """The points, followed by their reversed mirror image across the vertical axis."""
    return [*points, *((-x, y) for x, y in reversed(points))]


def balloon(pen: Pen, color: Color) -> None:
    pen.stroke([(0, 0.2), (0.05, 0.34), (-0.03, 0.48)], 0.03, INK, rim=False)
    pen.ellipse(0, -0.14, 0.6, 0.68, color)


def heart(pen: Pen, color: Color) -> None:
    lobe = arc(0.22, -0.16, 0.46, 0.44, 200, 380, 12)
    pen.polygon(mirrored([(0, -0.1), *lobe, (0, 0.44)]), color)


def apple(pen: Pen, color: Color) -> None:
    pen.stroke([(0, -0.22), (0.06, -0.44)], 0.06, (110, 70, 40))
    pen.ellipse(-0.13, 0.08, 0.5, 0.66, color)
    pen.ellipse(0.13, 0.08, 0.5, 0.66, color)
    pen.box(-0.12, -0.1, 0.12, 0.3, color, rim=False)


def bottle(pen: Pen, color: Color) -> None:
    pen.polygon(mirrored([(0.07, -0.48), (0.07, -0.22), (0.2, -0.04), (0.2, 0.48)]), color)
    pen.box(-0.2, 0.08, 0.2, 0.3, PALE)


def book(pen: Pen, color: Color) -> None:
    pen.polygon([(0, -0.24), (0.46, -0.34), (0.46, 0.28), (0, 0.36)], PALE)
    pen.polygon([(0, -0.24), (-0.46, -0.34), (-0.46, 0.28), (0, 0.36)], color)


def ladder(pen: Pen, color: Color) -> None:
    for x in (-0.2, 0.2):
        pen.stroke([(x, -0.46), (x, 0.46)], 0.08, color)
    for y in (-0.3, -0.05, 0.2):
        pen.stroke([(-0.2, y), (0.2, y)], 0.07, color)


def flower(pen: Pen, color: Color) -> None:
    pen.stroke([(0, 0), (0, 0.46)], 0.06, (70, 130, 60))
    for turn in range(6):
        angle = math.pi * turn / 3
        pen.ellipse(0.22 * math.cos(angle), -0.16 + 0.22 * math.sin(angle), 0.24, 0.24, color)
    pen.ellipse(0, -0.16, 0.2, 0.2, (250, 220, 90))


def cactus(pen: Pen, color: Color) -> None:
    pen.stroke([(0, -0.36), (0, 0.44)], 0.2, color)
    pen.stroke([(0, 0.16), (0.28, 0.16), (0.28, -0.14)], 0.13, color)
    pen.stroke([(0, 0.04), (-0.28, 0.04), (-0.28, -0.2)], 0.13, color)


def rocket(pen: Pen, color: Color) -> None:
    pen.polygon(mirrored([(0.1, 0.2), (0.28, 0.44), (0.06, 0.36)]), (250, 150, 40))
    pen.polygon(mirrored([(0, -0.5), (0.15, -0.24), (0.17, 0.1), (0.1, 0.3)]), color)
    pen.ellipse(0, -0.12, 0.14, 0.14, PALE)


def butterfly(pen: Pen, color: Color) -> None:
    for side in (-1, 1):
        pen.ellipse(0.25 * side, -0.15, 0.42, 0.46, color)
        pen.ellipse(0.2 * side, 0.22, 0.32, 0.34, mix(color, PALE, 0.4))
    pen.stroke([(0, -0.3), (0, 0.34)], 0.08, INK)


def hat(pen: Pen, color: Color) -> None:
    pen.polygon(mirrored([(0.24, -0.34), (0.27, 0.18)]), color)
    pen.box(-0.27, 0.02, 0.27, 0.16, INK)
    pen.ellipse(0, 0.22, 0.96, 0.18, color)


def guitar(pen: Pen, color: Color) -> None:
    pen.stroke([(0, 0), (0, -0.46)], 0.09, (120, 78, 46))
    pen.ellipse(0, 0.02, 0.34, 0.3, color)
    pen.ellipse(0, 0.26, 0.48, 0.42, color)
    pen.ellipse(0, 0.14, 0.14, 0.14, INK)


def hammer(pen: Pen, color: Color) -> None:
    pen.stroke([(0, -0.24), (0, 0.46)], 0.1, (140, 94, 54))
    pen.box(-0.34, -0.44, 0.26, -0.18, color)


def crescent(pen: Pen, color: Color) -> None:
    pen.polygon([*arc(0, 0, 0.9, 0.9, 40, 320, 28), *arc(0.16, 0, 0.62, 0.66, 310, 50, 20)], color)


def cross(pen: Pen, color: Color) -> None:
    quarter = [(0.14, -0.44), (0.14, -0.14), (0.44, -0.14), (0.44, 0.14), (0.14, 0.14), (0.14, 0.44)]
    pen.polygon(mirrored(quarter), color)


def arrow(pen: Pen, color: Color) -> None:
    pen.polygon([(-0.46, -0.1), (0.06, -0.1), (0.06, -0.3), (0.48, 0), (0.06, 0.3), (0.06, 0.1), (-0.46, 0.1)], color)


def tent(pen: Pen, color: Color) -> None:
    pen.polygon([(0, -0.34), (0.5, 0.36), (-0.5, 0.36)], color)
    pen.polygon([(0, -0.14), (0.16, 0.36), (-0.16, 0.36)], INK)


def bell(pen: Pen, color: Color) -> None:
    pen.ellipse(0, 0.36, 0.2, 0.2, INK)
    pen.polygon(mirrored([(0.06, -0.42), (0.24, -0.24), (0.26, 0.1), (0.42, 0.32)]), color)


def envelope(pen: Pen, color: Color) -> None:
    pen.box(-0.48, -0.3, 0.48, 0.3, color)
    pen.stroke([(-0.46, -0.28), (0, 0.06), (0.46, -0.28)], 0.05, INK, rim=False)


def dumbbell(pen: Pen, color: Color) -> None:
    pen.stroke([(-0.3, 0), (0.3, 0)], 0.1, INK)
    for side in (-1, 1):
        pen.box(0.32 * side - 0.1, -0.28, 0.32 * side + 0.1, 0.28, color)


def ice_cream(pen: Pen, color: Color) -> None:
    pen.polygon([(-0.24, 0), (0.24, 0), (0, 0.5)], (206, 150, 90))
    pen.ellipse(0, -0.16, 0.56, 0.52, color)


def sword(pen: Pen, color: Color) -> None:
    pen.polygon(mirrored([(0, -0.5), (0.07, -0.4), (0.07, 0.2)]), (200, 206, 216))
    pen.box(-0.24, 0.18, 0.24, 0.28, color)
    pen.stroke([(0, 0.28), (0, 0.46)], 0.09, color)


def ghost(pen: Pen, color: Color) -> None:
    hem = [(0.34, 0.44), (0.2, 0.32), (0.1, 0.44)]
    pen.polygon([*arc(0, -0.12, 0.68, 0.7, 180, 360, 18), *mirrored(hem)], color)
    for side in (-1, 1):
        pen.ellipse(0.12 * side, -0.12, 0.12, 0.16, INK)


def crown(pen: Pen, color: Color) -> None:
    half = [(0, -0.3), (0.2, 0), (0.46, -0.24), (0.38, 0.32)]
    pen.polygon(mirrored(half), color)
    pen.box(-0.38, 0.2, 0.38, 0.32, mix(color, INK, 0.3))


def bolt(pen: Pen, color: Color) -> None:
    pen.polygon([(0.1, -0.5), (-0.3, 0.06), (-0.02, 0.06), (-0.12, 0.5), (0.3, -0.12), (0.04, -0.12)], color)


def snowman(pen: Pen, color: Color) -> None:
    pen.ellipse(0, 0.2, 0.56, 0.54, PALE)
    pen.ellipse(0, -0.2, 0.38, 0.36, PALE)
    pen.box(-0.16, -0.48, 0.16, -0.32, color)
    pen.stroke([(-0.2, -0.02), (0.2, -0.02)], 0.09, color)


def lollipop(pen: Pen, color: Color) -> None:
    pen.stroke([(0, 0), (0, 0.48)], 0.06, PALE)
    pen.ellipse(0, -0.16, 0.6, 0.6, color)
    pen.ellipse(0, -0.16, 0.3, 0.3, mix(color, PALE, 0.6))


def bow_tie(pen: Pen, color: Color) -> None:
    for side in (-1, 1):
        pen.polygon([(0, 0), (0.46 * side, -0.28), (0.46 * side, 0.28)], color)
    pen.ellipse(0, 0, 0.18, 0.22, mix(color, INK, 0.3))


OTHER_OBJECTS: tuple[Callable[[Pen, Color], None], ...] = (
    balloon, heart, apple, bottle, book, ladder, flower, cactus, rocket, butterfly, hat, guitar, hammer, crescent,
    cross, arrow, tent, bell, envelope, dumbbell, ice_cream, sword, ghost, crown, bolt, snowman, lollipop, bow_tie,
)  # fmt: skip
INVENTED = 132
"""Number of random classes besides the drawn ones: features that distinguish many shapes transfer to new ones."""
OTHER_NAMES: tuple[str, ...] = (
    *(draw.__name__.replace("_", " ") for draw in OTHER_OBJECTS),
    *(f"thing {number}" for number in range(INVENTED)),
)


def invented_object(number: int, pen: Pen, color: Color, generator: np.random.Generator) -> None:
    """Draws invented object `number`: two to four parts whose kinds, positions and shades depend only on the number.

    `generator` varies each part a little, so that no two pictures of an object are equal.
    """
    design = np.random.default_rng([SIDE, number])
    for part in range(design.integers(2, 5)):
        kind, corners = design.integers(4), int(design.integers(3, 7))
        width, height = design.uniform(0.5, 0.95, 2) if part == 0 else design.uniform(0.12, 0.5, 2)
        x, y = (0.0, 0.0) if part == 0 else design.uniform(-0.36, 0.36, 2)
        radii, turn = design.uniform(0.45, 1.0, corners), design.uniform(0, 360)
        paint = (color, mix(color, INK, 0.45), mix(color, PALE, 0.7), INK)[0 if part == 0 else design.integers(4)]
        width, height, x, y = np.array([width, height, x, y]) * generator.normal(1, 0.07, 4)
        if kind == 0:
            pen.ellipse(x, y, width, height, paint)
        elif kind == 1:
            pen.box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, paint)
        elif kind == 2:
            ring = arc(0, 0, 1, 1, turn, turn + 360, corners)[:-1]
            pen.polygon([(x + width * r * a, y + height * r * b) for r, (a, b) in zip(radii, ring, strict=True)], paint)
        else:
            ends = arc(x, y, width, height, turn, turn + 180, 1)
            pen.stroke(ends, float(0.06 + 0.2 * min(width, height)), paint)


def random_color(generator: np.random.Generator) -> Color:
    """A uniformly random color."""
    return tuple(int(value) for value in generator.integers(0, 256, 3))


def background(generator: np.random.Generator, side: int) -> Image.Image:
    """A gradient between two colors, plain or with stripes, spots or boxes."""
    ends = np.array([random_color(generator), random_color(generator)], float)
    share = np.linspace(0, 1, side)[:, None, None]
    gradient = np.broadcast_to(ends[0] * (1 - share) + ends[1] * share, (side, side, 3))
    picture = Image.fromarray(gradient.astype(np.uint8)).rotate(90 * int(generator.integers(4)))
    canvas = ImageDraw.Draw(picture, "RGBA")
    kind = generator.integers(4)
    for _ in range(generator.integers(3, 12) if kind else 0):
        x, y, size = (float(v) for v in generator.uniform(0, side, 3))
        paint = (*random_color(generator), int(generator.integers(60, 200)))
        if kind == 1:
            canvas.line([x, y, *(float(v) for v in generator.uniform(0, side, 2))], paint, max(1, round(size / 12)))
        elif kind == 2:
            canvas.ellipse([x, y, x + size / 3, y + size / 4], paint)
        else:
            canvas.rectangle([x, y, x + size / 2, y + size / 3], paint)
    return picture


def surroundings(generator: np.random.Generator, side: int) -> Image.Image:
    """A plain background or, with probability 1/4, a place of the world, as in ImageNet."""
    if generator.random() < 0.75:
        return background(generator, side)
    names = list(BACKDROPS)
    backdrop = Backdrop(side, str(generator.choice(list(OBJECT_LIGHT))), generator)
    BACKDROPS[names[generator.integers(len(names))]](backdrop)
    return backdrop.picture


def draw_other_object(generator: np.random.Generator) -> tuple[int, Image.Image]:
    """The number of a random object, and an RGB picture of it, 64x64 pixels."""
    side = SIDE * SUPERSAMPLING
    number = int(generator.integers(len(OTHER_NAMES)))
    picture = surroundings(generator, side)
    color = random_color(generator)
    size = float(generator.uniform(0.42, 0.85))
    center = tuple(float(v) * side for v in generator.uniform(0.46 * size, 1 - 0.46 * size, 2))
    angle, flip = float(generator.normal(0, 14)), bool(generator.integers(2))
    rim = mix(color, random_color(generator), 0.6)
    pen = Pen(ImageDraw.Draw(picture), center, size * side, angle, flip, rim=rim, rim_width=0.022)
    if number < len(OTHER_OBJECTS):
        OTHER_OBJECTS[number](pen, color)
    else:
        invented_object(number, pen, color, generator)
    return number, picture.reduce(SUPERSAMPLING)

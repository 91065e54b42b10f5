"""Drawings of the objects: one function per class, with three variants of shape and bold silhouettes.

Each function takes the pen, the object's color and the variant (0, 1 or 2), and fills the box -0.5..0.5
in its larger dimension.
"""

import math
from collections.abc import Callable

from demo.world.pen import Color, Pen, Point, arc, mix

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
DARK: Color = (52, 50, 60)
WOOD: Color = (132, 84, 48)
GLASS: Color = (196, 230, 250)
GLOW: Color = (255, 240, 160)


def dark(color: Color) -> Color:
    """The shade side of a color."""
    return mix(color, BLACK, 0.28)


def light(color: Color) -> Color:
    """The lit side of a color."""
    return mix(color, WHITE, 0.45)


def coffee_mug(pen: Pen, color: Color, variant: int) -> None:
    """A mug with a large handle: straight, round or tapered."""
    handle = arc(0.24, 0.06, 0.40, 0.42, -80, 80)
    pen.stroke(handle, 0.09, color)
    top, bottom, y0 = (0.34, 0.34, 0.40)[variant], (0.34, 0.34, 0.24)[variant], -0.34
    left, right = -0.10 - top, -0.10 + top
    low_left, low_right = -0.10 - bottom, -0.10 + bottom
    base = arc(-0.10, 0.40, 2 * bottom, 0.16 if variant != 1 else 0.5, 0, 180, 12)
    if variant == 1:
        base = [(x, y - 0.16) for x, y in base]
    pen.polygon([(left, y0), (right, y0), (low_right, base[0][1]), *base, (low_left, base[-1][1])], color)
    pen.ellipse(-0.10, y0, 2 * top, 0.16, (88, 52, 34))
    if variant == 2:
        pen.box(-0.43, 0.0, 0.23, 0.12, light(color), rim=False)


def house(pen: Pen, color: Color, variant: int) -> None:
    """Walls in the color, a darker roof, a door and windows: gabled, with a chimney, or tall."""
    half, eaves = (0.38, 0.34, 0.28)[variant], (-0.02, -0.04, -0.08)[variant]
    if variant == 1:
        pen.box(0.14, -0.48, 0.27, -0.1, (150, 90, 80))
    pen.box(-half, eaves, half, 0.46, color)
    pen.polygon([(-half - 0.12, eaves), (0, -0.48), (half + 0.12, eaves)], mix(color, BLACK, 0.45))
    pen.box(-0.09, 0.18, 0.09, 0.46, WOOD)
    if variant == 2:
        pen.box(-0.10, -0.04, 0.10, 0.10, GLOW)
    else:
        for x in (-0.24, 0.24):
            pen.box(x - 0.08, 0.08, x + 0.08, 0.24, GLOW)


def pine_tree(pen: Pen, color: Color, variant: int) -> None:
    """Three tiers, two broad tiers, or one slim cone, on a trunk."""
    pen.box(-0.07, 0.28, 0.07, 0.5, WOOD)
    tiers = (
        ((0.02, 0.40, 0.36), (-0.20, 0.10, 0.29), (-0.42, -0.16, 0.21)),
        ((-0.10, 0.38, 0.42), (-0.42, 0.02, 0.31)),
        ((-0.12, 0.40, 0.28), (-0.32, 0.08, 0.22), (-0.46, -0.18, 0.15)),
    )[variant]
    for top, base, half in tiers:
        pen.polygon([(-half, base), (0, min(top, base) - 0.10), (half, base)], color)
        pen.polygon([(0.02, base - 0.02), (0.0, min(top, base) - 0.06), (half - 0.05, base - 0.02)], dark(color), False)


def car(pen: Pen, color: Color, variant: int) -> None:
    """A sedan, a van or a pickup truck, from the side."""
    cabins: tuple[list[Point], ...] = (
        [(-0.30, -0.02), (-0.18, -0.24), (0.14, -0.24), (0.28, -0.02)],
        [(-0.46, -0.02), (-0.44, -0.32), (0.20, -0.32), (0.34, -0.02)],
        [(-0.06, -0.02), (-0.02, -0.28), (0.18, -0.28), (0.30, -0.02)],
    )
    panes: tuple[tuple[list[Point], ...], ...] = (
        (
            [(-0.22, -0.03), (-0.14, -0.18), (-0.03, -0.18), (-0.03, -0.03)],
            [(0.03, -0.03), (0.03, -0.18), (0.12, -0.18), (0.20, -0.03)],
        ),
        (
            [(-0.38, -0.03), (-0.38, -0.25), (-0.10, -0.25), (-0.10, -0.03)],
            [(-0.03, -0.03), (-0.03, -0.25), (0.17, -0.25), (0.26, -0.03)],
        ),
        ([(0.02, -0.03), (0.04, -0.21), (0.15, -0.21), (0.23, -0.03)],),
    )
    pen.polygon(cabins[variant], light(color) if variant != 1 else color)
    for pane in panes[variant]:
        pen.polygon(pane, GLASS, rim=False)
    pen.polygon([(-0.5, -0.03), (0.40, -0.03), (0.5, 0.06), (0.5, 0.20), (-0.5, 0.20)], color)
    for x in (-0.28, 0.28):
        pen.ellipse(x, 0.21, 0.25, 0.25, DARK)
        pen.ellipse(x, 0.21, 0.10, 0.10, (205, 205, 210), rim=False)


def sail_boat(pen: Pen, color: Color, variant: int) -> None:
    """A hull in the color under one, two or a square sail."""
    pen.box(-0.03, -0.5, 0.03, 0.22, WOOD)
    sail = light(color)
    if variant == 0:
        pen.polygon([(0.04, -0.46), (0.04, 0.14), (0.40, 0.14)], sail)
        pen.polygon([(-0.05, -0.34), (-0.05, 0.14), (-0.34, 0.14)], WHITE)
    elif variant == 1:
        pen.polygon([(0.04, -0.48), (0.04, 0.14), (0.44, 0.14)], sail)
    else:
        pen.polygon([(-0.34, -0.38), (0.34, -0.38), (0.28, 0.10), (-0.28, 0.10)], sail)
        pen.box(-0.33, -0.20, 0.33, -0.08, WHITE, rim=False)
    pen.polygon([(-0.5, 0.18), (0.5, 0.18), (0.34, 0.46), (-0.32, 0.46)], color)
    pen.polygon([(-0.42, 0.33), (0.42, 0.33), (0.36, 0.43), (-0.34, 0.43)], dark(color), rim=False)


def fish(pen: Pen, color: Color, variant: int) -> None:
    """A slim, a round or a striped fish."""
    height = (0.44, 0.64, 0.50)[variant]
    pen.polygon([(0.22, 0.0), (0.5, -0.26), (0.44, 0.0), (0.5, 0.26)], dark(color))
    pen.polygon([(-0.18, -height * 0.42), (0.06, -height * 0.42 - 0.16), (0.18, -height * 0.3)], dark(color))
    pen.ellipse(-0.10, 0.0, 0.78, height, color)
    if variant == 2:
        for x in (-0.10, 0.08):
            pen.box(x - 0.035, -height * 0.40, x + 0.035, height * 0.40, WHITE, rim=False)
    else:
        pen.ellipse(-0.08, height * 0.2, 0.46, height * 0.34, light(color), rim=False)
    pen.polygon([(0.0, 0.04), (0.14, -0.02), (0.12, 0.14)], dark(color), rim=False)
    pen.ellipse(-0.33, -height * 0.12, 0.13, 0.13, WHITE, rim=False)
    pen.ellipse(-0.34, -height * 0.12, 0.07, 0.07, BLACK, rim=False)


def star(pen: Pen, color: Color, variant: int) -> None:
    """A star of five pointed, five plump or six rays."""
    rays, inner = ((5, 0.21), (5, 0.28), (6, 0.26))[variant]
    outline = []
    for i in range(2 * rays):
        radius = 0.52 if i % 2 == 0 else inner
        angle = math.pi * i / rays - math.pi / 2
        outline.append((radius * math.cos(angle), radius * math.sin(angle) + 0.02))
    pen.polygon(outline, color)
    pen.polygon([(x * 0.5, y * 0.5) for x, y in outline], light(color), rim=False)


def table_lamp(pen: Pen, color: Color, variant: int) -> None:
    """A cone, a dome or a drum shade on a stand."""
    pen.box(-0.045, -0.05, 0.045, 0.42, DARK)
    pen.polygon([(-0.24, 0.48), (-0.18, 0.38), (0.18, 0.38), (0.24, 0.48)], DARK)
    if variant == 0:
        pen.polygon([(-0.19, -0.48), (0.19, -0.48), (0.42, 0.04), (-0.42, 0.04)], color)
    elif variant == 1:
        pen.polygon(arc(0, 0.06, 0.84, 1.04, 180, 360), color)
    else:
        pen.polygon([(-0.33, -0.46), (0.33, -0.46), (0.37, 0.04), (-0.37, 0.04)], color)
        pen.box(-0.34, -0.34, 0.34, -0.26, light(color), rim=False)
    pen.ellipse(0, 0.05, 0.5, 0.12, GLOW, rim=False)


def chair(pen: Pen, color: Color, variant: int) -> None:
    """A chair from the side, with a solid, a slatted or a rounded back."""
    for x in (-0.25, 0.27):
        pen.box(x - 0.055, 0.08, x + 0.055, 0.5, dark(color))
    if variant == 0:
        pen.polygon([(-0.38, -0.5), (-0.22, -0.5), (-0.18, 0.08), (-0.34, 0.08)], color)
    elif variant == 1:
        for x in (-0.33, -0.13, 0.07):
            pen.box(x, -0.44, x + 0.09, 0.04, color)
        pen.box(-0.38, -0.5, 0.22, -0.37, color)
    else:
        pen.polygon([*arc(-0.08, -0.26, 0.56, 0.46, 180, 360), (0.20, 0.04), (-0.36, 0.04)], color)
        pen.ellipse(-0.08, -0.2, 0.26, 0.24, light(color), rim=False)
    pen.box(-0.37, 0.0, 0.38, 0.15, color)


def key(pen: Pen, color: Color, variant: int) -> None:
    """A bold key: round, square or three-lobed bow, with two thick teeth."""
    pen.box(-0.14, -0.075, 0.5, 0.075, color)
    for x, length in ((0.22, 0.24), (0.38, 0.28)):
        pen.box(x, 0.06, x + 0.11, length, color)
    hole = mix(color, BLACK, 0.72)
    if variant == 0:
        pen.ellipse(-0.25, 0, 0.5, 0.5, color)
        pen.ellipse(-0.27, 0, 0.22, 0.22, hole, rim=False)
    elif variant == 1:
        pen.polygon([(-0.5, 0), (-0.26, -0.27), (-0.02, 0), (-0.26, 0.27)], color)
        pen.polygon([(-0.38, 0), (-0.26, -0.13), (-0.14, 0), (-0.26, 0.13)], hole, rim=False)
    else:
        for x, y in ((-0.37, 0), (-0.22, -0.15), (-0.22, 0.15)):
            pen.ellipse(x, y, 0.28, 0.28, color)
        pen.ellipse(-0.24, 0, 0.3, 0.3, color, rim=False)
        pen.ellipse(-0.25, 0, 0.15, 0.15, hole, rim=False)


def airplane(pen: Pen, color: Color, variant: int) -> None:
    """An airliner, a swept-wing jet or a propeller plane, from above and the side."""
    wing: tuple[list[Point], ...] = (
        [(0.12, 0.0), (-0.02, -0.44), (-0.16, -0.44), (-0.12, 0.0), (-0.16, 0.44), (-0.02, 0.44)],
        [(0.16, 0.0), (-0.26, -0.42), (-0.34, -0.36), (-0.16, 0.0), (-0.34, 0.36), (-0.26, 0.42)],
        [(0.22, 0.0), (0.18, -0.46), (0.0, -0.46), (0.0, 0.0), (0.0, 0.46), (0.18, 0.46)],
    )
    pen.polygon(wing[variant], dark(color))
    pen.polygon([(-0.28, 0.0), (-0.42, -0.22), (-0.5, -0.20), (-0.46, 0.0), (-0.5, 0.20), (-0.42, 0.22)], dark(color))
    pen.polygon([(-0.48, -0.05), *arc(0.30, 0.0, 0.4, 0.20, -90, 90, 8), (-0.48, 0.05)], color)
    pen.ellipse(0.36, -0.0, 0.12, 0.10, GLASS, rim=False)
    if variant == 2:
        pen.box(0.47, -0.18, 0.52, 0.18, DARK, rim=False)


def clock(pen: Pen, color: Color, variant: int) -> None:
    """A white face with two hands in a round frame, a frame with bells, or a square one."""
    if variant == 1:
        for side in (-1, 1):
            pen.ellipse(side * 0.27, -0.36, 0.30, 0.26, color)
            pen.stroke([(side * 0.24, 0.34), (side * 0.33, 0.46)], 0.08, DARK)
    if variant == 2:
        pen.box(-0.46, -0.46, 0.46, 0.46, color)
    else:
        pen.ellipse(0, 0.02 * variant, 0.96 - 0.10 * variant, 0.96 - 0.10 * variant, color)
    pen.ellipse(0, 0.02 * variant, 0.66, 0.66, mix(color, WHITE, 0.85))
    pen.stroke([(0, 0.02 * variant), (0.0, -0.24)], 0.07, DARK, rim=False)
    pen.stroke([(0, 0.02 * variant), (0.17, 0.10)], 0.07, DARK, rim=False)


def umbrella(pen: Pen, color: Color, variant: int) -> None:
    """An open umbrella: plain, striped or scalloped."""
    pen.stroke([(0, -0.1), (0, 0.36), *arc(0.09, 0.38, 0.18, 0.16, 180, 30, 8)], 0.06, WOOD)
    pen.polygon(arc(0, 0.06, 1.0, 1.02, 180, 360), color)
    if variant == 1:
        pen.polygon([(-0.14, 0.05), (0.0, -0.45), (0.14, 0.05)], WHITE, rim=False)
    if variant == 2:
        for x in (-0.375, -0.125, 0.125, 0.375):
            pen.ellipse(x, 0.06, 0.25, 0.13, light(color), rim=False)


def mushroom(pen: Pen, color: Color, variant: int) -> None:
    """A mushroom with a domed, a flat or a pointed cap."""
    pen.polygon([(-0.12, 0.0), (0.12, 0.0), (0.18, 0.48), (-0.18, 0.48)], (244, 230, 205))
    cap = (
        arc(0, 0.08, 0.96, 1.12, 180, 360),
        arc(0, 0.02, 1.0, 0.70, 180, 360),
        [(-0.44, 0.08), (-0.2, -0.26), (0, -0.5), (0.2, -0.26), (0.44, 0.08)],
    )[variant]
    pen.polygon(cap, color)
    for x, y in ((-0.22, -0.06), (0.02, -0.20), (0.24, -0.04)):
        pen.ellipse(x, y, 0.13, 0.11, WHITE, rim=False)


OBJECTS: dict[str, Callable[[Pen, Color, int], None]] = {
    "coffee mug": coffee_mug,
    "house": house,
    "pine tree": pine_tree,
    "car": car,
    "sail boat": sail_boat,
    "fish": fish,
    "star": star,
    "table lamp": table_lamp,
    "chair": chair,
    "key": key,
    "airplane": airplane,
    "clock": clock,
    "umbrella": umbrella,
    "mushroom": mushroom,
}

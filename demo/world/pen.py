"""A pen that draws shapes in object coordinates on a supersampled picture."""

import math
from collections.abc import Sequence

from PIL import ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]


def mix(first: Color, second: Color, share: float) -> Color:
    """Linear interpolation between two colors; `share` (0..1) is the weight of `second`."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def tint(color: Color, light: tuple[float, float, float]) -> Color:
    """`color` (0..255) under a light of red, green and blue factors (0 dark, 1 neutral)."""
    return tuple(min(255, round(channel * factor)) for channel, factor in zip(color, light, strict=True))


class Pen:
    """Draws in object coordinates: x to the right, y down, the object inside -0.5..0.5.

    Points are mirrored (`flip`), rotated by `angle` degrees, scaled by `scale` pixels and moved to `center`.
    Every color passes through `light`; shapes get a rim of `rim` in `rim_width` object units, for bold silhouettes.
    """

    def __init__(
        self,
        canvas: ImageDraw.ImageDraw,
        center: Point,
        scale: float,
        angle: float = 0.0,
        flip: bool = False,
        light: tuple[float, float, float] = (1.0, 1.0, 1.0),
        rim: Color = (0, 0, 0),
        rim_width: float = 0.0,
    ) -> None:
        self.canvas, self.center, self.scale, self.light = canvas, center, scale, light
        self.cos, self.sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self.mirror = -1.0 if flip else 1.0
        self.rim, self.rim_width = tint(rim, light), rim_width

    def place(self, points: Sequence[Point]) -> list[Point]:
        """Converts object coordinates to pixels of the supersampled picture."""
        placed = []
        for x, y in points:
            x *= self.mirror
            placed.append(
                (
                    self.center[0] + self.scale * (x * self.cos - y * self.sin),
                    self.center[1] + self.scale * (x * self.sin + y * self.cos),
                )
            )
        return placed

    def polygon(self, points: Sequence[Point], color: Color, rim: bool = True) -> None:
        """A filled polygon."""
        placed = self.place(points)
        self.canvas.polygon(placed, fill=tint(color, self.light))
        width = round(self.rim_width * self.scale)
        if rim and width:
            self.canvas.line([*placed, placed[0], placed[1]], fill=self.rim, width=width, joint="curve")

    def ellipse(self, x: float, y: float, width: float, height: float, color: Color, rim: bool = True) -> None:
        """A filled ellipse about (x, y) with the given full width and height."""
        self.polygon(arc(x, y, width, height, 0, 360, 28)[:-1], color, rim)

    def box(self, left: float, top: float, right: float, bottom: float, color: Color, rim: bool = True) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color, rim)

    def stroke(self, points: Sequence[Point], width: float, color: Color, rim: bool = True) -> None:
        """A thick line with round joints and ends."""
        placed = self.place(points)
        coats = [(width + 2 * self.rim_width, self.rim)] if rim else []
        for thickness, paint in [*coats, (width, tint(color, self.light))]:
            pixels = thickness * self.scale
            self.canvas.line(placed, fill=paint, width=round(pixels), joint="curve")
            for x, y in (placed[0], placed[-1]):
                self.canvas.ellipse([x - pixels / 2, y - pixels / 2, x + pixels / 2, y + pixels / 2], fill=paint)


def arc(x: float, y: float, width: float, height: float, start: float, stop: float, pieces: int = 16) -> list[Point]:
    """Points on the ellipse about (x, y) from `start` to `stop` degrees (0 to the right, 90 down)."""
    angles = [math.radians(start + (stop - start) * i / pieces) for i in range(pieces + 1)]
    return [(x + width / 2 * math.cos(a), y + height / 2 * math.sin(a)) for a in angles]

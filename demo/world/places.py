"""Drawings of the places by day, at night and at sunset, on a supersampled picture of `side` pixels."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from demo.world.pen import Color, mix, tint

Light = tuple[float, float, float]

GROUND_LIGHT: dict[str, Light] = {"day": (1.0, 1.0, 1.0), "night": (0.42, 0.43, 0.58), "sunset": (1.0, 0.74, 0.60)}
SKY: dict[str, tuple[Color, Color]] = {
    "day": ((96, 172, 240), (214, 238, 252)),
    "night": ((10, 14, 44), (42, 52, 104)),
    "sunset": ((110, 72, 140), (255, 158, 84)),
}


class Backdrop:
    """A background in progress: its pixels, side length, time of day, and the generator of its details."""

    def __init__(self, side: int, time: str, generator: np.random.Generator) -> None:
        self.side, self.time, self.generator = side, time, generator
        self.light = GROUND_LIGHT[time]
        self.picture = Image.new("RGB", (side, side))
        self.canvas = ImageDraw.Draw(self.picture, "RGBA")

    def uniform(self, low: float, high: float) -> float:
        """A random number for a detail of the scene."""
        return float(self.generator.uniform(low, high))

    def gradient(self, top: float, bottom: float, first: Color, last: Color) -> None:
        """A vertical gradient between two heights (0 top, 1 bottom)."""
        start, stop = round(top * self.side), round(bottom * self.side)
        share = np.linspace(0, 1, max(stop - start, 1))[:, None]
        column = np.array(first) * (1 - share) + np.array(last) * share
        strip = Image.fromarray(column.round().astype(np.uint8)[:, None], "RGB")
        self.picture.paste(strip.resize((self.side, strip.height)), (0, start))

    def polygon(self, points: Sequence[tuple[float, float]], color: Color, alpha: int = 255) -> None:
        """A polygon in picture coordinates 0..1."""
        self.canvas.polygon([(x * self.side, y * self.side) for x, y in points], fill=(*color, alpha))

    def disc(self, x: float, y: float, radius: float, color: Color, alpha: int = 255) -> None:
        """A disc in picture coordinates 0..1."""
        box = [self.side * v for v in (x - radius, y - radius, x + radius, y + radius)]
        self.canvas.ellipse(box, fill=(*color, alpha))

    def box(self, left: float, top: float, right: float, bottom: float, color: Color, alpha: int = 255) -> None:
        """A rectangle in picture coordinates 0..1."""
        self.canvas.rectangle([self.side * v for v in (left, top, right, bottom)], fill=(*color, alpha))

    def lit(self, color: Color) -> Color:
        """A color of the surroundings under this time's light."""
        return tint(color, self.light)

    def hill(self, base: float, height: float, phase: float, color: Color) -> None:
        """A smooth hill, filled down to the lower edge."""
        xs = np.linspace(0, 1, 25)
        ys = base - height * np.sin(np.pi * (xs * 1.4 + phase))
        self.polygon([*zip(xs.tolist(), ys.tolist(), strict=True), (1, 1), (0, 1)], color)

    def sky(self, horizon: float) -> None:
        """Sky down to the horizon, with sun, moon and stars, or a low red sun."""
        self.gradient(0, horizon, *SKY[self.time])
        x = self.uniform(0.12, 0.88)
        if self.time == "day":
            self.disc(x, self.uniform(0.08, 0.14), 0.065, (255, 236, 130))
        elif self.time == "night":
            for _ in range(16):
                self.disc(self.uniform(0, 1), self.uniform(0, horizon), 0.008, (236, 240, 255))
            self.disc(x, 0.12, 0.065, (244, 244, 220))
            self.disc(x + 0.03, 0.105, 0.055, SKY["night"][0])
        else:
            self.disc(x, horizon - 0.03, 0.13, (255, 206, 92), 120)
            self.disc(x, horizon - 0.03, 0.09, (255, 112, 62))


def desert(scene: Backdrop) -> None:
    """Dunes, and a small cactus."""
    scene.sky(0.72)
    phase = scene.uniform(0, 1)
    scene.hill(0.60, 0.07, phase, scene.lit((226, 176, 102)))
    x = scene.uniform(0.05, 0.95)
    green = scene.lit((70, 130, 72))
    scene.box(x - 0.016, 0.46, x + 0.016, 0.64, green)
    scene.box(x - 0.055, 0.52, x + 0.055, 0.55, green)
    scene.box(x - 0.055, 0.49, x - 0.034, 0.55, green)
    scene.box(x + 0.034, 0.47, x + 0.055, 0.55, green)
    scene.hill(0.72, 0.06, phase + 0.8, scene.lit((240, 198, 122)))
    scene.hill(0.88, 0.05, phase + 0.3, scene.lit((250, 214, 142)))


def forest(scene: Backdrop) -> None:
    """Trunks under a dark canopy, grass in front."""
    far: dict[str, Color] = {"day": (150, 206, 140), "night": (22, 40, 48), "sunset": (236, 158, 92)}
    scene.gradient(0, 0.80, mix(far[scene.time], scene.lit((34, 92, 48)), 0.55), far[scene.time])
    for i in range(6):
        x = (i + scene.uniform(0.15, 0.85)) / 6
        half = scene.uniform(0.016, 0.034)
        shade = scene.uniform(0.0, 0.35)
        scene.box(x - half, 0, x + half, 0.74, scene.lit(mix((96, 66, 44), (60, 44, 36), shade)))
    for i in range(8):
        radius = scene.uniform(0.09, 0.14)
        scene.disc((i + 0.5) / 8, scene.uniform(-0.03, 0.05), radius, scene.lit((30, 98, 48)))
    scene.hill(0.72, 0.02, scene.uniform(0, 1), scene.lit((58, 128, 58)))
    scene.hill(0.86, 0.03, scene.uniform(0, 1), scene.lit((78, 150, 66)))


def snow(scene: Backdrop) -> None:
    """White mountains, a white field and falling flakes."""
    scene.sky(0.66)
    for _ in range(2):
        x, half = scene.uniform(0.0, 1.0), scene.uniform(0.26, 0.36)
        peak = scene.uniform(0.22, 0.34)
        scene.polygon([(x - half, 0.66), (x, peak), (x + half, 0.66)], scene.lit((146, 164, 194)))
        cap = 0.36
        scene.polygon(
            [(x - half * cap, peak + (0.66 - peak) * cap), (x, peak), (x + half * cap, peak + (0.66 - peak) * cap)],
            scene.lit((244, 248, 255)),
        )
    scene.hill(0.64, 0.03, scene.uniform(0, 1), scene.lit((224, 234, 248)))
    scene.hill(0.82, 0.04, scene.uniform(0, 1), scene.lit((248, 251, 255)))
    for _ in range(22):
        flake = mix(scene.lit((255, 255, 255)), (255, 255, 255), 0.5)
        scene.disc(scene.uniform(0, 1), scene.uniform(0, 1), 0.011, flake)


def street(scene: Backdrop) -> None:
    """Houses with windows, a sidewalk, and a road with a dashed line."""
    scene.sky(0.62)
    lit_window: Color = {"day": (176, 212, 236), "night": (255, 226, 120), "sunset": (255, 220, 140)}[scene.time]
    x = -0.02
    while x < 1.0:
        width, top = scene.uniform(0.16, 0.26), scene.uniform(0.14, 0.36)
        wall: Color = ((150, 126, 128), (128, 132, 146), (164, 148, 130))[int(scene.generator.integers(3))]
        scene.box(x, top, x + width - 0.01, 0.64, scene.lit(wall))
        for row in np.arange(top + 0.05, 0.56, 0.1):
            for column in np.arange(x + 0.03, x + width - 0.05, 0.075):
                scene.box(column, row, column + 0.035, row + 0.05, lit_window)
        x += width
    scene.box(0, 0.63, 1, 0.70, scene.lit((186, 184, 182)))
    scene.box(0, 0.70, 1, 1, scene.lit((92, 94, 102)))
    start = scene.uniform(-0.2, 0.0)
    for i in range(6):
        scene.box(start + 0.24 * i, 0.84, start + 0.24 * i + 0.13, 0.87, scene.lit((246, 240, 214)))


def water(scene: Backdrop) -> None:
    """Open water seen half from below: a strip of sky, waves, rays, bubbles and weeds."""
    scene.sky(0.2)
    xs = np.linspace(0, 1, 25)
    phase = scene.uniform(0, 6)
    top: Color = {"day": (54, 178, 206), "night": (20, 54, 104), "sunset": (150, 96, 142)}[scene.time]
    deep: Color = {"day": (10, 84, 150), "night": (6, 18, 54), "sunset": (52, 40, 104)}[scene.time]
    scene.gradient(0.17, 1, top, deep)
    crest = [(x, 0.17 + 0.018 * np.sin(x * 19 + phase)) for x in xs.tolist()]
    scene.polygon([*crest, (1, 0.22), (0, 0.22)], mix(top, (255, 255, 255), 0.35))
    for _ in range(3):
        x = scene.uniform(0, 1)
        scene.polygon([(x, 0.22), (x + 0.09, 0.22), (x - 0.06, 1), (x - 0.26, 1)], mix(top, (255, 255, 255), 0.5), 42)
    for _ in range(9):
        scene.disc(
            scene.uniform(0, 1), scene.uniform(0.3, 0.95), scene.uniform(0.010, 0.020), mix(top, (255,) * 3, 0.6)
        )
    for i in range(5):
        x, height = (i + scene.uniform(0.1, 0.9)) / 5, scene.uniform(0.10, 0.24)
        weed = [(x + 0.02 * np.sin(t * 7 + phase), 1 - height * t) for t in np.linspace(0, 1, 9)]
        outline = [(a - 0.018, b) for a, b in weed] + [(a + 0.018, b) for a, b in reversed(weed)]
        scene.polygon(outline, scene.lit((36, 140, 90)))


def beach(scene: Backdrop) -> None:
    """Sky, a band of sea with surf, sand, and a palm at the side."""
    scene.sky(0.44)
    sea: Color = {"day": (34, 140, 200), "night": (18, 44, 96), "sunset": (134, 84, 130)}[scene.time]
    scene.gradient(0.44, 0.72, sea, mix(sea, (255, 255, 255), 0.25))
    scene.hill(0.645, 0.012, scene.uniform(0, 1), mix(sea, (255, 255, 255), 0.75))
    scene.hill(0.665, 0.012, scene.uniform(0, 1), scene.lit((250, 222, 160)))
    scene.gradient(0.70, 1, scene.lit((250, 222, 160)), scene.lit((234, 196, 128)))
    x = 0.07 if scene.uniform(0, 1) < 0.5 else 0.93
    lean = 0.05 if x < 0.5 else -0.05
    top = (x + lean, 0.24)
    scene.polygon(
        [(x - 0.022, 0.72), (x + 0.022, 0.72), (top[0] + 0.014, 0.24), (top[0] - 0.014, 0.24)], scene.lit((128, 90, 56))
    )
    for dx, dy in ((-0.15, 0.03), (-0.12, -0.09), (0.0, -0.13), (0.12, -0.09), (0.15, 0.03)):
        scene.polygon(
            [(top[0], top[1] - 0.025), (top[0] + dx, top[1] + dy), (top[0], top[1] + 0.025)], scene.lit((48, 136, 70))
        )


def indoors(scene: Backdrop) -> None:
    """A room with wallpaper, a window that shows the time of day, a picture and a wooden floor."""
    room: Light = {"day": (1, 1, 1), "night": (0.62, 0.52, 0.50), "sunset": (1.0, 0.80, 0.66)}[scene.time]
    wall: Color = tint(((236, 216, 184), (206, 222, 208), (222, 206, 222))[int(scene.generator.integers(3))], room)
    scene.box(0, 0, 1, 0.7, wall)
    for i in range(9):
        scene.box(i / 8, 0, i / 8 + 0.03, 0.7, mix(wall, (255, 255, 255), 0.14))
    left = scene.uniform(0.05, 0.50)
    frame = tint((248, 246, 240), room)
    scene.box(left, 0.08, left + 0.42, 0.46, frame)
    first, last = SKY[scene.time]
    for k in (0, 1):
        pane = left + 0.03 + 0.19 * k
        scene.box(pane, 0.11, pane + 0.17, 0.27, mix(first, last, 0.25))
        scene.box(pane, 0.27, pane + 0.17, 0.43, mix(first, last, 0.8))
    orb: Color = {"day": (255, 236, 130), "night": (244, 244, 220), "sunset": (255, 112, 62)}[scene.time]
    scene.disc(left + 0.30, 0.18 if scene.time != "sunset" else 0.36, 0.045, orb)
    x = left + 0.56 if left < 0.27 else left - 0.22
    scene.box(x, 0.16, x + 0.16, 0.36, tint((150, 104, 64), room))
    scene.box(x + 0.03, 0.19, x + 0.13, 0.33, tint((120, 170, 170), room))
    scene.box(0, 0.68, 1, 0.73, frame)
    scene.gradient(0.73, 1, tint((172, 116, 70), room), tint((140, 90, 54), room))
    for y in (0.80, 0.89):
        scene.box(0, y, 1, y + 0.01, tint((118, 76, 46), room))


def space(scene: Backdrop) -> None:
    """Stars and nebulae over a planet: its rim lit blue by day, orange at sunset, dark at night."""
    scene.gradient(0, 1, (10, 8, 30), (28, 16, 58))
    for _ in range(3):
        scene.disc(scene.uniform(0, 1), scene.uniform(0, 0.6), scene.uniform(0.1, 0.2), (108, 54, 150), 46)
    for _ in range(30):
        scene.disc(scene.uniform(0, 1), scene.uniform(0, 1), scene.uniform(0.006, 0.011), (240, 240, 255))
    x = scene.uniform(0.2, 0.8)
    rim: Color = {"day": (150, 224, 255), "night": (62, 62, 112), "sunset": (255, 160, 70)}[scene.time]
    body: Color = {"day": (52, 128, 210), "night": (22, 24, 58), "sunset": (172, 62, 72)}[scene.time]
    scene.disc(x, 1.36, 0.62, rim)
    scene.disc(x, 1.385, 0.62, body)
    for dx, dy, radius in ((-0.16, 0.90, 0.09), (0.14, 0.94, 0.12)):
        scene.disc(x + dx, dy, radius, mix(body, rim, 0.3))
    if scene.time == "day":
        scene.disc(0.88 if x < 0.5 else 0.12, 0.12, 0.09, (255, 240, 170))


BACKDROPS: dict[str, Callable[[Backdrop], None]] = {
    "desert": desert,
    "forest": forest,
    "snow": snow,
    "street": street,
    "water": water,
    "beach": beach,
    "indoors": indoors,
    "space": space,
}

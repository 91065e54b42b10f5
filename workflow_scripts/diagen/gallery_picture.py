"""The gallery as one picture without words about single images: guide images, and what each set makes of them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from diagen.datasets import load_image
from diagen.gallery import SyntheticSet
from diagen.shots import Shot

CELL, GAP, GROUP_GAP, HEAD = 128, 6, 28, 40  # pixels
INK, PAPER = "#333333", "#ffffff"


def gallery_picture(
    shots: Sequence[Shot], sets: Sequence[SyntheticSet], store: Path, classes: int, images: int
) -> Image.Image:
    """An RGB picture: a row per class, the first guide image at the left, then `images` pictures of each set.

    Classes are the first `classes`; file names in the manifests are relative to the folder `store`.
    """
    guides = [shot for shot in shots if shot.role == "guide" and shot.guide == 0][:classes]
    groups = [("Guide image", [[Path(guide.path)] for guide in guides])]
    groups += [(each.name, [_files(each, guide.class_name, store, images) for guide in guides]) for each in sets]
    starts, right = [], 0
    for _, rows in groups:
        starts.append(right)
        right += max(map(len, rows)) * (CELL + GAP) - GAP + GROUP_GAP
    sheet = Image.new("RGB", (right - GROUP_GAP, HEAD + len(guides) * (CELL + GAP) - GAP), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    for start, (name, rows) in zip(starts, groups, strict=True):
        pen.text((start, 6), name, fill=INK, font=font)
        for row, files in enumerate(rows):
            for column, file in enumerate(files):
                sheet.paste(_cell(file), (start + column * (CELL + GAP), HEAD + row * (CELL + GAP)))
    return sheet


def _files(synthetic: SyntheticSet, class_name: str, store: Path, images: int) -> list[Path]:
    rows = [row for row in synthetic.manifest if row.class_name == class_name and row.guide == 0]
    return [store / row.file_name for row in sorted(rows, key=lambda row: row.number)[:images]]


def _cell(file: Path) -> Image.Image:
    image = load_image(file)
    crisp = max(image.size) <= CELL
    return image.resize((CELL, CELL), Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS)

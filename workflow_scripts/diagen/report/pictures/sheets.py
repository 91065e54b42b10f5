"""Thumbnails packed into sheets, which a page decodes only where they are looked at."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from diagen.report.thumbnails import encoded, thumbnail

EDGES = ((5_000, 96), (10_000, 80))
"""Pixels of a thumbnail's edge for up to so many images."""
SMALLEST = 64  # pixels of a thumbnail's edge for more images
LOSSLESS = 2_500  # images, up to which small ones are kept exactly: 5 KB for one of 64 pixels, 0.7 KB otherwise
BLOCK = 16  # pixels of WebP's blocks: in cells of whole blocks, thumbnails do not run into each other
ACROSS = 8  # thumbnails in a row, and rows, of a sheet: small, since any of them may be needed for a single thumbnail


@dataclass(frozen=True)
class Sheets:
    """Sheets of thumbnails: WebP in base64, with square cells of `edges` pixels.

    Thumbnail n is in sheet n // `ACROSS`**2, in the upper left of its cell; `sizes` are widths and heights. `exact` if
    no image was scaled down or compressed with losses.
    """

    edges: list[int]
    sizes: list[tuple[int, int]]
    images: list[str]
    exact: bool

    def layout(self) -> dict[str, object]:
        """What a script needs to find a thumbnail: the distinct sizes, and their index for each thumbnail."""
        distinct = sorted(set(self.sizes))
        numbers = {size: number for number, size in enumerate(distinct)}
        return {
            "edges": self.edges,
            "columns": ACROSS,
            "count": len(self.sizes),
            "exact": self.exact,
            "distinct": distinct,
            "sizes": [numbers[size] for size in self.sizes] if len(distinct) > 1 else [],
        }


@dataclass
class Album:
    """The images that a page shows, each once, numbered in the order in which they are added."""

    numbers: dict[Path, int] = field(default_factory=dict)

    def add(self, path: Path) -> int:
        """The number of the image's thumbnail."""
        return self.numbers.setdefault(path, len(self.numbers))


def pack(paths: Sequence[Path]) -> Sheets:
    """Read the images and pack their thumbnails; the result depends on the images and their order alone.

    Sheets are made in threads, since decoding and encoding release Python's lock. Each holds one image and one sheet in
    memory. Raises `InputError` for an image that cannot be read.
    """
    edge = next((edge for most, edge in EDGES if len(paths) <= most), SMALLEST)
    chunks = [paths[start : start + ACROSS**2] for start in range(0, len(paths), ACROSS**2)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        made = list(pool.map(lambda chunk: _sheet(chunk, edge, exactly=len(paths) <= LOSSLESS), chunks))
    return Sheets(
        [sheet.edge for sheet in made],
        [size for sheet in made for size in sheet.sizes],
        [sheet.image for sheet in made],
        all(sheet.exact for sheet in made),
    )


@dataclass(frozen=True)
class _Sheet:
    """A sheet as in `Sheets`."""

    image: str
    edge: int
    sizes: list[tuple[int, int]]
    exact: bool


def _sheet(paths: Sequence[Path], largest: int, *, exactly: bool) -> _Sheet:
    """A sheet of thumbnails of at most `largest` pixels; if asked to, an exact one where all images are small."""
    thumbnails = [thumbnail(path, largest) for path in paths]
    sizes = [image.size for image in thumbnails]
    longest = max(max(size) for size in sizes)
    edge = -(-longest // BLOCK) * BLOCK
    sheet = Image.new("RGB", (edge * ACROSS, edge * -(-len(paths) // ACROSS)))
    for number, image in enumerate(thumbnails):
        sheet.paste(image, (number % ACROSS * edge, number // ACROSS * edge))
    exact = exactly and longest < largest
    return _Sheet(encoded(sheet, lossless=exact), edge, sizes, exact)

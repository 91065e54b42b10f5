"""Thumbnails of photos and synthetic images. Free of torch."""

import base64
import io
from pathlib import Path

from PIL import ExifTags, Image

from diagen.images import UPRIGHT, load_image

QUALITY = 80  # of lossy WebP, in [0, 100]
EFFORT = 2  # of lossless WebP, in [0, 6]: a third of the time of the default for 5 % more bytes
LARGEST = 256  # pixels of the longer edge of an image that a page shows alone


def thumbnail(path: Path, edge: int) -> Image.Image:
    """The upright image as RGB, at most `edge` pixels wide and high; a smaller image keeps its pixels.

    Raises `InputError` as `load_image`.
    """
    image = _reduced_photo(path, edge) or load_image(path)
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image


def _reduced_photo(path: Path, edge: int) -> Image.Image | None:
    """A JPEG photo decoded at a fraction of its size, 10 times as fast; `None` for what `load_image` must read."""
    try:
        with Image.open(path) as photo:
            if photo.format not in ("JPEG", "MPO") or photo.mode != "RGB":
                return None
            method = UPRIGHT.get(photo.getexif().get(ExifTags.Base.Orientation))  # type: ignore[arg-type]
            photo.draft("RGB", (2 * edge, 2 * edge))
            photo.load()
            return photo.copy() if method is None else photo.transpose(method)
    except Exception:  # each decoder raises its own exceptions; `load_image` reports them
        return None


def encoded(image: Image.Image, *, lossless: bool) -> str:
    """The image as WebP in base64; equal images give equal text."""
    buffer = io.BytesIO()
    if lossless:
        image.save(buffer, "WEBP", lossless=True, method=EFFORT)
    else:
        image.save(buffer, "WEBP", quality=QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()


def data_uri(path: Path) -> tuple[str, int, int]:
    """An image as a data URI, with its width and height: small ones exactly, others at `LARGEST` pixels."""
    image = thumbnail(path, LARGEST)
    return f"data:image/webp;base64,{encoded(image, lossless=max(image.size) < LARGEST)}", *image.size

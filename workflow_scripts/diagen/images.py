"""Reads the pixels of photos."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from diagen.errors import InputError

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that reverts each EXIF orientation."""


def load_image(path: Path | str) -> Image.Image:
    """Read a photo as 8-bit RGB, upright: its EXIF orientation is applied.

    Of several frames (MPO, GIF) the first is read, transparent pixels become white, and 16-bit values are scaled to 8
    bits. Raises `InputError`, naming the file, if it is not an image, is truncated, exceeds 179 million pixels (a
    decompression bomb), or has floating-point values.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _as_rgb(_upright(image))
    except Image.UnidentifiedImageError:  # type: ignore[attr-defined]
        raise InputError(f"{path}: not an image in a known format; save it as JPEG or PNG, or remove it") from None
    except Exception as error:  # each decoder raises its own exceptions for broken files
        raise InputError(f"{path}: broken image ({error}); restore the file or remove it") from None


def _upright(image: Image.Image) -> Image.Image:
    # `ImageOps.exif_transpose` rewrites the EXIF data, which fails if a good photo has one invalid tag.
    method = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))  # type: ignore[arg-type]
    return image if method is None else image.transpose(method)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no defined range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")

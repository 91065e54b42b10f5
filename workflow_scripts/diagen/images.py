"""How a photo's pixels are read."""

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
"""What undoes each EXIF orientation."""


def load_image(path: Path | str) -> Image.Image:
    """The photo as 8-bit RGB, upright: its EXIF orientation is applied.

    Of several frames (MPO, GIF) the first is taken, transparency shows white, 16-bit values are scaled to 8 bits.
    Raises `InputError` naming the file when it is no image, is truncated, has so many pixels that it must be a
    decompression bomb (more than 179 million), or holds floating-point values.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _as_rgb(_upright(image))
    except Image.UnidentifiedImageError:
        raise InputError(f"`{path}` is not an image that can be read; remove it or save it as JPEG or PNG") from None
    except Exception as error:  # each decoder has exceptions of its own for broken files
        raise InputError(f"`{path}` can't be read as an image ({error}); restore the file or remove it") from None


def _upright(image: Image.Image) -> Image.Image:
    # `ImageOps.exif_transpose` would write the EXIF data anew, which fails for a good photo with one odd tag.
    method = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    return image if method is None else image.transpose(method)


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point values have no agreed range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")

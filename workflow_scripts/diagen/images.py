"""Reads the pixels of photos."""

import hashlib
import struct
import sys
import warnings
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from diagen.errors import InputError, unreadable_image

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
DEPTHS = (8, 10, 12, 14, 16, 24, 31, 32)
"""Numbers of bits that cameras, scanners and microscopes use of the 16 or 32 that a file has for each gray value."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_ORIENTATION = (b"eXIf", b"iTXtXML:com.adobe.xmp\0\0")
"""How chunks of a PNG file begin that may contain the orientation: EXIF, and uncompressed XMP."""
OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The byte order (big, little or native endian) opposite to each, as in Pillow's names of layouts."""
GRAY_WITH_ALPHA = "LA;16B"
"""The layout of 16-bit gray PNG with alpha, which Pillow reads as RGBA."""
WHITE_IS_ZERO, PHOTOMETRIC = 0, 262
"""The value of this TIFF tag for images whose zero is white; Pillow inverts only those of 8 bits."""
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
"""Brands of the photos of phones that Pillow does not read, at byte 8 of a file."""

# Pillow warns of metadata, which decide nothing here, without the name of the file.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class _UnusableValuesError(Exception):
    """The file is a sound image, but its values have no defined black and white."""


def load_image(path: Path | str) -> Image.Image:
    """Read a photo as 8-bit RGB, upright: its EXIF orientation is applied.

    Only the pixels decide whether a file can be read: malformed or oversized metadata is ignored, and a malformed
    orientation counts as none. Of several frames (MPO, GIF) the first is read, and transparent pixels become white.
    Files do not state how many of 16 or 32 bits their gray values use, so the least number in `DEPTHS` that holds the
    image's largest value is scaled to 8 bits. Floating-point values are read as 0 to 1 or, if the largest is 2 or more,
    as integers. Raises `InputError`, naming the file, if it is not an image, is truncated, exceeds 179 million pixels
    (a decompression bomb), or has values without a defined black and white: negative or not finite ones, or 16-bit
    color, other than black, that uses at most 14 bits, since Pillow reads only the upper 8.
    """
    return _read(path)[0]


def image_format(path: Path | str) -> str:
    """The format of a photo by its content, in Pillow's terms, such as `JPEG`. Raises `InputError` as `load_image`."""
    return _read(path)[1]


def _read(path: Path | str) -> tuple[Image.Image, str]:
    """The photo as RGB, and its format."""
    try:
        return _decode_with_any_metadata(path)
    except Image.UnidentifiedImageError:  # type: ignore[attr-defined]
        kind = "a HEIC image, which is not supported" if _is_heic(path) else "not an image in a known format"
        raise InputError(f"{path}: {kind}; {unreadable_image(path, 'save it as JPEG or PNG, or remove it')}") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: too large ({error}); save it with fewer pixels, or remove it") from None
    except _UnusableValuesError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # each decoder raises its own exceptions for broken files
        if isinstance(error, OSError) and error.filename is not None:
            raise InputError(
                f"{path}: cannot be opened ({error.strerror}); "
                + unreadable_image(path, "restore the file, correct its name or permissions, or remove it")
            ) from None
        raise InputError(
            f"{path}: broken image ({error or type(error).__name__}); "
            + unreadable_image(path, "restore the file or remove it")
        ) from None


def require_indexed(paths: Iterable[Path | str], hashes: Iterable[str]) -> None:
    """Raise `InputError` for the first photo whose content does not have the SHA-256 that its index names.

    Missing photos are left to `load_image`.
    """
    for path, digest in zip(map(Path, paths), hashes, strict=True):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise InputError(
                f"{path}: the photo changed after it was indexed. Restore it, or index the dataset again: delete its "
                "images.csv and run Snakemake again"
            )


def _decode_with_any_metadata(path: Path | str) -> tuple[Image.Image, str]:
    # Pillow maps a gray TIFF into memory if it gets its path, and then scrambles one that is turned by 90 degrees.
    with open(path, "rb") as file:
        try:
            return _decode(file)
        except (_UnusableValuesError, Image.DecompressionBombError):
            raise
        except Exception:
            # Pillow refuses sound PNG files for their texts and color profiles.
            file.seek(0)
            if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
                raise
            return _decode(BytesIO(PNG_SIGNATURE + b"".join(_chunks_of_picture(file.read()))))


def _chunks_of_picture(content: bytes) -> Iterator[bytes]:
    """The chunks of a PNG file, after its signature, without metadata other than the orientation."""
    start = 0
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        chunk = content[start + 4 : end - 4]
        of_pixels = chunk[:1].isupper() or chunk.startswith(b"tRNS")
        intact = content[end - 4 : end] == struct.pack(">I", zlib.crc32(chunk))
        if of_pixels or (intact and chunk.startswith(PNG_ORIENTATION)):
            yield content[start:end]
        start = end


def _decode(file: IO[bytes]) -> tuple[Image.Image, str]:
    with Image.open(file) as image:
        layout = _layout(image)
        image.load()
        if layout.endswith(tuple(f";16{order}" for order in OPPOSITE)) and image.mode in ("RGB", "RGBA"):
            _check_color_depth(image, layout, file)
        return _upright(image, _as_rgb(image, layout)), str(image.format)


def _layout(image: Image.Image) -> str:
    """How the file stores its values, such as `RGB;16B`; only known before the pixels are loaded."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _upright(image: Image.Image, pixels: Image.Image) -> Image.Image:
    # `ImageOps.exif_transpose` rewrites the EXIF data, which fails if a good photo has one invalid tag.
    try:
        method = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))  # type: ignore[arg-type]
    except Exception:  # whatever malformed EXIF data causes in Pillow's parser
        method = None
    return pixels if method is None else pixels.transpose(method)


def _as_rgb(image: Image.Image, layout: str) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_as_bytes(image, layout)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _as_bytes(image: Image.Image, layout: str) -> NDArray[np.uint8]:
    """Gray values `[H, W]` of more than 8 bits, or floating-point ones, scaled to 0 to 255."""
    values = np.asarray(image)
    if layout == "I;32N":  # Pillow reads unsigned values as signed ones
        values = values.view(np.uint32)
    values = values.astype(np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high < 2**32):
        raise _UnusableValuesError(
            f"values from {low:g} to {high:g} (mode {image.mode}) have no defined black and white; scale them to 0 to "
            "255 and save the image with 8 bits, or remove it"
        )
    if image.mode == "F" and 1 < high < 2:
        raise _UnusableValuesError(
            f"floating-point values from {low:g} to {high:g} (mode F) are neither 0 to 1 nor integers; scale them to 0 "
            "to 1 or save the image with 8 bits, or remove it"
        )
    bits = 12 if layout == "I;12" else next(bits for bits in DEPTHS if high < 2**bits)
    white = 1.0 if image.mode == "F" and high <= 1 else 2.0**bits - 1
    scaled = np.round(values * 255 / white).clip(0, 255).astype(np.uint8)
    inverted = image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore[attr-defined]
    return 255 - scaled if inverted else scaled


def _check_color_depth(image: Image.Image, layout: str, file: IO[bytes]) -> None:
    """Refuse 16-bit color whose values have fewer bits, since Pillow's upper 8 of 16 bits lack most of them."""
    brightest = np.asarray(image)[..., :3].max()
    if brightest < 2**6 and (brightest > 0 or _has_lower_bytes(file, layout)):
        raise _UnusableValuesError(
            f"16-bit color of which at most 14 bits are used (mode {image.mode}) would come out nearly black; scale "
            "its values to the full range, such as by `magick IN -auto-level -depth 8 OUT`, or remove it"
        )


def _has_lower_bytes(file: IO[bytes], layout: str) -> bool:
    """Whether 16-bit color whose upper bytes are 0 has other lower bytes: those that the opposite byte order reads."""
    file.seek(0)
    with Image.open(file) as image:
        # Gray with alpha has no other layout, but 8-bit RGBA splits its values into bytes: upper, lower, and alpha's.
        is_gray = layout == GRAY_WITH_ALPHA
        swapped = "RGBA" if is_gray else layout[:-1] + OPPOSITE[layout[-1]]
        image.tile = [
            tile._replace(args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
            for tile in image.tile
        ]
        return bool(np.asarray(image)[..., : 2 if is_gray else 3].any())


def _is_heic(path: Path | str) -> bool:
    with open(path, "rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:] in HEIC

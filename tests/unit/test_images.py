"""How photos are read: the pixels decide, whatever the metadata; gray values of all depths; clear errors."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from diagen.errors import InputError
from diagen.files.store_layout import image_file_name
from diagen.images import load_image
from diagen.seeds import stable_hash

ORIENTATION = 0x0112
MALFORMED_EXIF = {
    "no TIFF header": b"Exif\0\0no TIFF",
    "no offset": b"Exif\0\0II*\0",
    "offset outside": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "entries missing": b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    "orientation is text": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abcd\0\0\0\0",
    "orientation is 200": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\xc8\0\0\0\0\0\0",
}


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (8, 16, 3), dtype=np.uint8))


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(load_image(path))


def gray(path: Path) -> NDArray[np.uint8]:
    read = pixels(path)
    assert (read[..., 0] == read[..., 1]).all() and (read[..., 0] == read[..., 2]).all()
    return read[..., 0]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def insert_after_header(path: Path, *chunks: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:33] + b"".join(chunks) + content[33:])


# ---------------------------------------------------------------- metadata

TURNED = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: np.swapaxes(image, 0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(np.swapaxes(image, 0, 1), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("kind", ["color", "gray", "16 bits"])
def test_tiff_files_are_turned_upright(tmp_path: Path, orientation: int, compression: str | None, kind: str) -> None:
    color = np.asarray(picture())
    values = {"color": color, "gray": color[..., 0], "16 bits": color[..., 0].astype(np.uint16) * 257}[kind]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(values).save(tmp_path / "a.tif", exif=exif, compression=compression)
    expected = color if kind == "color" else np.repeat(color[..., :1], 3, axis=2)
    np.testing.assert_array_equal(pixels(tmp_path / "a.tif"), TURNED[orientation](expected))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize("form", ["png", "webp", "jpg", "tif"])
@pytest.mark.parametrize("exif", MALFORMED_EXIF.values(), ids=MALFORMED_EXIF)
def test_malformed_exif_data_is_no_orientation(tmp_path: Path, form: str, exif: bytes) -> None:
    plain, odd = tmp_path / f"plain.{form}", tmp_path / f"odd.{form}"
    picture().save(plain)
    if form == "tif":
        picture().save(odd, tiffinfo={ORIENTATION: 200})
    else:
        picture().save(odd, exif=exif)
    np.testing.assert_array_equal(pixels(odd), pixels(plain))


@pytest.mark.parametrize("form", ["png", "webp", "jpg"])
def test_a_large_color_profile_is_ignored(tmp_path: Path, form: str) -> None:
    picture().save(tmp_path / f"plain.{form}")
    profile = np.random.RandomState(1).bytes(3_000_000)
    picture().save(tmp_path / f"odd.{form}", icc_profile=profile)
    np.testing.assert_array_equal(pixels(tmp_path / f"odd.{form}"), pixels(tmp_path / f"plain.{form}"))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("international", [False, True])
def test_long_texts_are_ignored_but_not_the_orientation(tmp_path: Path, compressed: bool, international: bool) -> None:
    texts = PngImagePlugin.PngInfo()
    add = texts.add_itxt if international else texts.add_text
    for number in range(2 if compressed else 70):  # Pillow's limits: 1 MB for a compressed text, 64 MB for all
        add(f"text {number}", "x" * 1_100_000, zip=compressed)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture().save(tmp_path / "a.png", pnginfo=texts, exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), np.rot90(np.asarray(picture()), -1))


def test_texts_after_the_pixels_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().save(path)
    content = path.read_bytes()
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))
    path.write_bytes(content[:-12] + text + content[-12:])
    np.testing.assert_array_equal(pixels(path), np.asarray(picture()))


def test_a_png_without_its_damaged_metadata_keeps_transparency_and_xmp_orientation(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = picture().convert("P")
    image.save(path, transparency=int(np.asarray(image)[0, 0]))
    expected = pixels(path)
    assert (expected == 255).all(axis=2).any()
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="3"/>')
    damaged = chunk(b"tEXt", b"comment\0damaged")[:-4] + b"\0\0\0\0"
    wrong_exif = chunk(b"eXIf", b"II*\0")[:-4] + b"\0\0\0\0"
    unknown_compression = chunk(b"zTXt", b"a\0\x07abc")
    insert_after_header(path, xmp, damaged, wrong_exif, unknown_compression)
    np.testing.assert_array_equal(pixels(path), np.rot90(expected, 2))


def test_damaged_transparency_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().convert("P").save(path, transparency=3)
    content = path.read_bytes()
    place = content.index(b"tRNS") + 4
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(InputError, match=r"a\.png: "):
        load_image(path)


def test_damaged_pixels_beside_long_texts_are_still_refused(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("a", "x" * 2_000_000, zip=True)
    path = tmp_path / "a.png"
    picture().save(path, pnginfo=texts)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match="a.png: broken image"):
        load_image(path)


def test_decompression_bombs_are_refused_with_a_remedy(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000))), (b"IDAT", zlib.compress(bytes(9)))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    with pytest.raises(InputError, match="a.png: too large .*decompression bomb.*; save it with fewer pixels"):
        load_image(tmp_path / "a.png")


def test_a_missing_file_is_not_called_a_broken_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.png: cannot be opened \(No such file"):
        load_image(tmp_path / "a.png")


# ---------------------------------------------------------------- depths


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_gray_values_of_fewer_than_16_bits(tmp_path: Path, name: str, bits: int) -> None:
    values = np.random.RandomState(bits).randint(0, 2**bits, (5, 7)).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    Image.fromarray(values).save(tmp_path / name)
    exact = values.astype(float) * 255 / (2**bits - 1)
    assert np.abs(gray(tmp_path / name) - exact).max() <= 0.5


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16, 24, 31])
def test_gray_values_in_signed_32_bits(tmp_path: Path, bits: int) -> None:
    values = np.random.RandomState(bits).randint(0, 2**bits, (5, 7)).astype(np.int32)
    values[0, 0] = 2**bits - 1
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert np.abs(gray(tmp_path / "a.tif") - values.astype(float) * 255 / (2**bits - 1)).max() <= 0.5


def tiff(path: Path, values: NDArray, **tags: int) -> None:
    """Write an uncompressed little-endian TIFF of one strip, whose entries are all of type 4 (LONG)."""
    height, width = values.shape
    data = values.tobytes()
    entries = {
        256: width, 257: height, 258: values.dtype.itemsize * 8, 259: 1, 262: tags.get("photometric", 1), 273: 8,
        277: 1, 278: height, 279: len(data), 339: tags["sample_format"],
    }  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items()
    )
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory + bytes(4))


def test_unsigned_32_bits_and_white_as_zero(tmp_path: Path) -> None:
    values = np.array([[0, 2**31, 2**32 - 1]], dtype="<u4")
    tiff(tmp_path / "a.tif", values, sample_format=1)
    np.testing.assert_array_equal(gray(tmp_path / "a.tif"), [[0, 128, 255]])
    tiff(tmp_path / "b.tif", np.array([[0, 1000, 4095]], dtype="<u2"), sample_format=1, photometric=0)
    np.testing.assert_array_equal(gray(tmp_path / "b.tif"), [[255, 193, 0]])


def test_floating_point_values_from_0_to_1_or_as_integers(tmp_path: Path) -> None:
    for scale, name in ((1, "one.tif"), (255, "byte.tif"), (65535, "word.tif")):
        Image.fromarray(np.array([[0, 0.25, 0.5, 1]], dtype=np.float32) * scale).save(tmp_path / name)
        np.testing.assert_array_equal(gray(tmp_path / name), [[0, 64, 128, 255]])


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (np.array([[-1.0, 1.0]], dtype=np.float32), r"values from -1 to 1 \(mode F\)"),
        (np.array([[0.0, np.nan]], dtype=np.float32), "values from nan to nan"),
        (np.array([[0.0, np.inf]], dtype=np.float32), "values from 0 to inf"),
        (np.array([[0.0, 1.5]], dtype=np.float32), "neither 0 to 1 nor integers"),
        (np.array([[-7, 100]], dtype=np.int32), r"values from -7 to 100 \(mode I\)"),
    ],
)
def test_values_without_a_black_and_a_white_are_refused(tmp_path: Path, values: NDArray, part: str) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=f"a.tif: .*{part}.*; scale them to 0 to"):
        load_image(tmp_path / "a.tif")


def color_png(path: Path, values: NDArray[np.uint16], kind: int) -> None:
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))


def color_tiff(path: Path, values: NDArray[np.uint16], order: str, *, compressed: bool) -> None:
    """Write 16-bit RGB `[H, W, 3]` in one strip, in the byte order `<` or `>`."""
    height, width = values.shape[:2]
    data = zlib.compress(values.tobytes()) if compressed else values.tobytes()
    short, long = 3, 4
    entries = [
        (256, long, 1, width), (257, long, 1, height), (258, short, 3, 8), (259, short, 1, 8 if compressed else 1),
        (262, short, 1, 2), (273, long, 1, 14), (277, short, 1, 3), (278, long, 1, height), (279, long, 1, len(data)),
    ]  # fmt: skip
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        packed = struct.pack(f"{order}HH", value, 0) if (kind, count) == (short, 1) else struct.pack(f"{order}I", value)
        directory += struct.pack(f"{order}HHI", tag, kind, count) + packed
    mark = b"II" if order == "<" else b"MM"
    header = struct.pack(f"{order}2sHI", mark, 42, 14 + len(data)) + struct.pack(f"{order}3H", 16, 16, 16)
    path.write_bytes(header + data + directory + bytes(4))


def test_16_bit_color_is_read_unless_it_uses_fewer_bits(tmp_path: Path) -> None:
    values = np.random.RandomState(0).randint(0, 2**16, (4, 5, 3)).astype(np.uint16)
    color_png(tmp_path / "a.png", values, 2)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), values >> 8)
    for bits in (10, 12, 14):
        color_png(tmp_path / "b.png", values >> (16 - bits), 2)
        with pytest.raises(InputError, match=r"b.png: 16-bit color .*\(mode RGB\).*magick"):
            load_image(tmp_path / "b.png")
    silhouette = np.zeros((2, 2, 4), dtype=np.uint16)
    silhouette[0, :, 3] = 65535
    color_png(tmp_path / "c.png", silhouette, 6)
    np.testing.assert_array_equal(pixels(tmp_path / "c.png")[:, 0, 0], [0, 255])


def test_16_bit_color_with_alpha_is_read_unless_it_uses_fewer_bits(tmp_path: Path) -> None:
    """The alpha channel uses all 16 bits, whatever the color does."""
    random = np.random.RandomState(1)
    for channels, kind in ((2, 4), (4, 6)):
        values = random.randint(0, 2**16, (4, 5, channels)).astype(np.uint16)
        values[..., -1] = 65535
        color_png(tmp_path / "a.png", values, kind)
        np.testing.assert_array_equal(pixels(tmp_path / "a.png"), np.broadcast_to(values[..., :-1] >> 8, (4, 5, 3)))
        for bits in (8, 10, 12, 14):
            values[..., :-1] = random.randint(1, 2**bits, (4, 5, channels - 1))
            color_png(tmp_path / "b.png", values, kind)
            with pytest.raises(InputError, match=r"b.png: 16-bit color .*\(mode RGBA\).*magick"):
                load_image(tmp_path / "b.png")


@pytest.mark.parametrize(("channels", "kind"), [(3, 2), (2, 4), (4, 6)])
def test_black_16_bit_color_is_black_but_not_that_of_8_bits(tmp_path: Path, channels: int, kind: int) -> None:
    values = np.zeros((4, 5, channels), dtype=np.uint16)
    if kind != 2:
        values[..., -1] = 65535
    color_png(tmp_path / "a.png", values, kind)
    assert (pixels(tmp_path / "a.png") == 0).all()
    values[1, 2, 0] = 200  # the upper byte is 0
    color_png(tmp_path / "b.png", values, kind)
    with pytest.raises(InputError, match="b.png: 16-bit color of which at most 14 bits are used"):
        load_image(tmp_path / "b.png")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
def test_black_16_bit_color_in_tiff(tmp_path: Path, order: str, compressed: bool) -> None:
    values = np.zeros((4, 5, 3), dtype=f"{order}u2")
    color_tiff(tmp_path / "a.tif", values, order, compressed=compressed)
    assert (pixels(tmp_path / "a.tif") == 0).all()
    values[1, 2, 0] = 200
    color_tiff(tmp_path / "b.tif", values, order, compressed=compressed)
    with pytest.raises(InputError, match="b.tif: 16-bit color of which at most 14 bits are used"):
        load_image(tmp_path / "b.tif")
    values[:] = np.random.RandomState(2).randint(0, 2**16, values.shape)
    color_tiff(tmp_path / "c.tif", values, order, compressed=compressed)
    np.testing.assert_array_equal(pixels(tmp_path / "c.tif"), values >> 8)


@pytest.mark.parametrize("value", [0, 1])
def test_dark_bitmaps_of_16_bits_per_pixel_are_read(tmp_path: Path, value: int) -> None:
    """Their color has 5 bits per channel, all of which Pillow reads."""
    rows = struct.pack("<2H", value << 10, value << 5) * 2
    header = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 0, len(rows), 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54) + header + rows)
    assert pixels(tmp_path / "a.bmp")[0].tolist() == [[8 * value, 0, 0], [0, 8 * value, 0]]


@pytest.mark.parametrize(
    ("brand", "kind"), [(b"heic", "a HEIC image, which is not supported"), (b"mp42", "not an image")]
)
def test_photos_of_phones_that_are_not_read_are_named(tmp_path: Path, brand: bytes, kind: str) -> None:
    path = tmp_path / "photo.HEIC"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(64))
    with pytest.raises(InputError, match=rf"photo\.HEIC: {kind}"):
        load_image(path)


@pytest.mark.parametrize("content", [None, b"", b"cut"])
def test_an_unreadable_synthetic_image_is_made_again(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / image_file_name(stable_hash("a synthetic image"))
    if content is not None:
        path.parent.mkdir(parents=True)
        picture().save(path)
        path.write_bytes(path.read_bytes()[:-60] if content == b"cut" else content)
    with pytest.raises(InputError, match=r"\.png: .*; it is a synthetic image: to make it again, .*verify_results"):
        load_image(path)

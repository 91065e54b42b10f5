"""Thumbnails and sheets: right pixels in the right place, the same bytes again, and photos upright."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from diagen.errors import InputError
from diagen.images import load_image
from diagen.report.pictures import sheets
from diagen.report.pictures.sheets import ACROSS, Album, pack
from diagen.report.thumbnails import data_uri, thumbnail


def noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")


@pytest.fixture
def images(tmp_path):
    """150 small images of different shapes: more than two sheets."""
    paths = []
    for number in range(150):
        paths.append(tmp_path / f"{number}.png")
        noise(8 + number % 40, 50 - number % 30, number).save(paths[-1])
    return paths


def test_small_images_are_kept_exactly_where_the_layout_says(images):
    packed = pack(images)
    layout = packed.layout()
    assert packed.exact and layout["count"] == len(images) and len(packed.images) == 3
    opened = [decoded(text) for text in packed.images]
    for number, path in enumerate(images):
        edge, cell = packed.edges[number // ACROSS**2], number % ACROSS**2
        left, top = cell % ACROSS * edge, cell // ACROSS * edge
        width, height = layout["distinct"][layout["sizes"][number]]
        found = opened[number // ACROSS**2].crop((left, top, left + width, top + height))
        assert np.array_equal(np.asarray(found), np.asarray(load_image(path))), path.name


def test_sheets_have_the_same_bytes_again_in_any_number_of_threads(images, monkeypatch):
    packed = pack(images)
    monkeypatch.setattr(sheets.os, "sched_getaffinity", lambda _: range(7))
    assert pack(images) == packed


def test_more_images_have_smaller_thumbnails_with_losses(images, monkeypatch):
    monkeypatch.setattr(sheets, "LOSSLESS", 100)
    monkeypatch.setattr(sheets, "EDGES", ((100, 96),))
    monkeypatch.setattr(sheets, "SMALLEST", 32)
    packed = pack(images)
    assert not packed.exact and max(packed.edges) == 32 and max(max(size) for size in packed.sizes) == 32
    assert sum(map(len, packed.images)) < len(images) * 32 * 32 * 3


def test_large_images_are_scaled_down_in_their_shape(tmp_path):
    noise(600, 300, 1).save(tmp_path / "wide.png")
    packed = pack([tmp_path / "wide.png"])
    assert packed.sizes == [(96, 48)] and packed.edges == [96] and not packed.exact


def test_an_album_numbers_each_image_once(tmp_path):
    album = Album()
    assert [album.add(tmp_path / name) for name in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert list(album.numbers) == [tmp_path / "b", tmp_path / "a", tmp_path / "c"]


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match="broken.jpg"):
        pack([tmp_path / "broken.jpg"])


@given(orientation=st.integers(0, 9), width=st.integers(30, 900), height=st.integers(30, 900), seed=st.integers(0, 99))
def test_a_photo_is_upright_and_close_to_its_full_decoding(tmp_path_factory, orientation, width, height, seed):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    smooth = noise(5, 4, seed).resize((width, height), Image.Resampling.BICUBIC)
    smooth.save(path, exif=exif, quality=95)
    expected = load_image(path)
    expected.thumbnail((96, 96), Image.Resampling.LANCZOS)
    found = thumbnail(path, 96)
    assert all(abs(a - b) <= 1 for a, b in zip(found.size, expected.size, strict=True))
    difference = np.asarray(found, float) - np.asarray(expected.resize(found.size), float)
    assert np.abs(difference).mean() < 4


def test_an_image_shown_alone_is_a_data_uri(tmp_path):
    picture = noise(64, 40, 3)
    picture.save(tmp_path / "small.png")
    uri, width, height = data_uri(tmp_path / "small.png")
    assert (width, height) == (64, 40)
    assert np.array_equal(np.asarray(decoded(uri.removeprefix("data:image/webp;base64,"))), np.asarray(picture))
    noise(800, 400, 4).save(tmp_path / "large.png")
    assert data_uri(tmp_path / "large.png")[1:] == (256, 128)

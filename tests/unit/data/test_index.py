"""Datasets: adapters, their problems, and how photos of all kinds are read."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import DrawnWorld, ImageFolder
from diagen.data.images_file import ImageRow, read_images, write_images
from diagen.data.index import index_dataset
from diagen.data.names import class_label
from diagen.errors import InputError
from diagen.images import load_image

PHOTOS = Path(__file__).parents[4] / "shared/data/custom_coco_mini"
ORIENTATION = 0x0112


def picture(seed: int, size: tuple[int, int] = (6, 4)) -> Image.Image:
    width, height = size
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3), dtype=np.uint8))


def save(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path)


def folder_of(root: Path, classes: tuple[str, ...] = ("cup", "pine_tree")) -> ImageFolder:
    for number, name in enumerate(classes):
        for split in ("train-val", "test"):
            for image in range(2):
                save(root / split / name / f"{name} ({image}).png", 10 * number + image)
    return ImageFolder(adapter="image_folder", root=str(root))


def complaint(dataset: ImageFolder | DrawnWorld) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset)
    return str(caught.value)


def test_rows_are_sorted_and_correct(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path)
    save(tmp_path / "test_uncommon" / "cup" / "ü [x] é.png", 7)
    rows = index_dataset(dataset).images
    assert rows == sorted(rows, key=lambda row: (row.split, row.class_name, row.path))
    assert Counter((row.split, row.class_name) for row in rows) == {
        ("train_val", "cup"): 2,
        ("train_val", "pine_tree"): 2,
        ("test", "cup"): 2,
        ("test", "pine_tree"): 2,
        ("test_uncommon", "cup"): 1,
    }
    for row in rows:
        assert row.sha256 == hashlib.sha256(Path(row.path).read_bytes()).hexdigest()
        assert (row.width, row.height) == (6, 4)
        assert row.path.startswith(tmp_path.as_posix())


def test_relative_roots_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    rows = index_dataset(ImageFolder(adapter="image_folder", root="photos/")).images
    assert rows[0].path == "photos/test/cup/cup (0).png"


def test_spaces_in_folders_are_underscores_in_labels(tmp_path: Path) -> None:
    folder_of(tmp_path, ("cup", "cell phone", "wine glass"))
    dataset = ImageFolder(adapter="image_folder", root=str(tmp_path), classes=("cell_phone", "wine glass"))
    assert {row.class_name for row in index_dataset(dataset).images} == {"cell_phone", "wine_glass"}
    assert class_label("cafe\u0301 noir") == "caf\u00e9_noir"


def test_drawn_world_reads_like_an_image_folder(tmp_path: Path) -> None:
    expected = index_dataset(folder_of(tmp_path))
    world = DrawnWorld(adapter="drawn_world", root=str(tmp_path), seed=1, classes=("cup", "pine tree"))
    assert index_dataset(world) == expected


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path)
    (tmp_path / "train-val" / "cup" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "train-val" / ".cache").mkdir()
    (tmp_path / "test" / "README.txt").write_text("about")
    assert len(index_dataset(dataset).images) == 8


def test_missing_root(tmp_path: Path) -> None:
    text = complaint(ImageFolder(adapter="image_folder", root=str(tmp_path / "nowhere")))
    assert "nowhere" in text and "`root`" in text


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path)
    inside = tmp_path / "train-val"
    (inside / "empty").mkdir()
    whole = (inside / "cup" / "cup (0).png").read_bytes()
    (inside / "cup" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (inside / "cup" / "notes.txt").write_text("no image")
    (inside / "cup" / "more").mkdir()
    save(tmp_path / "test" / "Cup" / "a.png")
    save(tmp_path / "test" / "dog" / "a.png")
    text = complaint(dataset)
    for part in ("empty", "cut.png", "notes.txt", "cup/more", "differ only in case", "test/dog"):
        assert part in text


def test_missing_splits(tmp_path: Path) -> None:
    save(tmp_path / "train-val" / "cup" / "a.png")
    text = complaint(ImageFolder(adapter="image_folder", root=str(tmp_path)))
    assert "/test: no such folder" in text and "test_uncommon" not in text


def test_unknown_class_names_the_known_ones(tmp_path: Path) -> None:
    folder_of(tmp_path)
    text = complaint(ImageFolder(adapter="image_folder", root=str(tmp_path), classes=("cup", "boat")))
    assert "`boat`" in text and "cup, pine_tree" in text


def test_same_class_twice(tmp_path: Path) -> None:
    assert "two folders of the class `cell_phone`" in complaint(folder_of(tmp_path, ("cell phone", "cell_phone")))


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path)
    for number in range(50):
        (tmp_path / "train-val" / "cup" / f"{number}.jpg").write_bytes(b"")
    assert "and 20 more" in complaint(dataset)


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    dataset = folder_of(tmp_path)
    path = tmp_path / "train-val" / "cup" / "caf\udce9.png"
    try:
        path.write_bytes((tmp_path / "train-val" / "cup" / "cup (0).png").read_bytes())
    except OSError:
        pytest.skip("this file system allows only UTF-8 names")
    assert "the name is not UTF-8" in complaint(dataset)


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda pixels: pixels),
        (3, lambda pixels: np.rot90(pixels, 2)),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (8, lambda pixels: np.rot90(pixels, 1)),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "MPO"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, turned: callable, form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"photo.{form.lower()}"
    image = picture(3, (16, 8))
    if form == "MPO":
        image.save(path, form, exif=exif, save_all=True, append_images=[picture(4, (16, 8))], quality=95)
        with Image.open(path) as stored:
            assert stored.format == "MPO"
            expected = np.asarray(stored.convert("RGB"))
    else:
        image.save(path, exif=exif)
        expected = np.asarray(image)
    loaded = load_image(path)
    assert loaded.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(loaded), turned(expected))


def test_transparency_shows_white(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = (0, 128, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "a.png"))[0, :, 0], [255, 127, 0])


def test_opaque_rgba_keeps_its_colors(tmp_path: Path) -> None:
    image = picture(5)
    image.convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "a.png")), np.asarray(image))


def test_palette_gray_bilevel_and_transparent_palette(tmp_path: Path) -> None:
    image = picture(6)
    for mode in ("P", "L", "1", "LA"):
        image.convert(mode).save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(
            np.asarray(load_image(tmp_path / f"{mode}.png")), np.asarray(image.convert(mode).convert("RGB"))
        )
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "t.png", transparency=0)
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "t.png"))[0], [[255, 255, 255], [40, 50, 60]])


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    values = np.array([[0, 257 * 100, 65535, 128]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        np.testing.assert_array_equal(np.asarray(load_image(tmp_path / name))[0, :, 1], [0, 100, 255, 0])


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = np.asarray(load_image(tmp_path / "a.jpg"))[4, 4]
    assert red > 240 and green < 15 and blue < 15


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    rows = [ImageRow('a/"x", [1]\n(2) é.png', "pine_tree", "test", 3, 4, "00")]
    write_images(rows, tmp_path / "images.csv")
    assert read_images(tmp_path / "images.csv") == rows
    (tmp_path / "other.csv").write_text("path,class\n")
    with pytest.raises(InputError, match="split, width, height, sha256"):
        read_images(tmp_path / "other.csv")


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of Custom COCO are missing")
def test_real_photos() -> None:
    rows = index_dataset(ImageFolder(adapter="image_folder", root=str(PHOTOS))).images
    assert len(rows) == 132 and len({row.class_name for row in rows}) == 6
    turned = 0
    for row in rows:
        with Image.open(row.path) as image:
            if image.getexif().get(ORIENTATION) in (6, 8):
                turned += 1
                assert image.size == (row.height, row.width)
    assert turned == 33

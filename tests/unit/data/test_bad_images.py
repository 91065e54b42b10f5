"""One message lists all bad input of a folder; broken files can be skipped and are counted."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import ImageFolder
from diagen.data.images_file import SkippedImage, read_skipped, write_skipped
from diagen.data.index import index_dataset
from diagen.data.names import class_label, class_problems
from diagen.errors import InputError
from diagen.images import load_image


def save(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (40, 60, 3), dtype=np.uint8)).save(path)


def good_folder(root: Path, per_class: int = 4) -> None:
    for offset, name in enumerate(("cup", "pine tree")):
        for number in range(per_class):
            for split in ("train-val", "test"):
                save(root / split / name / f"{name} ({number}) [é].jpg", 10 * offset + number)


def bomb(path: Path, edge: int = 60_000) -> None:
    """Write a PNG file of a few hundred bytes whose header claims `edge` pixels a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))


def add_bad_images(root: Path, outside: Path) -> set[str]:
    """Add one bad file of each kind to the class `cup`; returns their names."""
    folder = root / "train-val" / "cup"
    whole = (folder / "cup (0) [é].jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    (folder / "page.jpg").write_text("<html>not found</html>")
    bomb(folder / "bomb.png")
    save(outside / "other.jpg")
    (folder / "link.jpg").symlink_to(outside / "other.jpg")
    (folder / "broken_link.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return {
        "cut.jpg", "empty.png", "notes.txt", "page.jpg", "bomb.png", "link.jpg", "broken_link.jpg", "loop.jpg",
    }  # fmt: skip


def complaint(dataset: ImageFolder, shots: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset, shots)
    return str(caught.value)


def dataset_in(root: Path, **keys: object) -> ImageFolder:
    return ImageFolder(adapter="image_folder", root=str(root), **keys)


def test_one_message_lists_all_bad_input(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    good_folder(root)
    bad = add_bad_images(root, tmp_path / "outside")
    train_val = root / "train-val"
    (train_val / "empty_class").mkdir()
    save(train_val / "few" / "a.jpg")
    save(root / "test" / "Cup" / "a.jpg")
    save(train_val / "a\u200bb" / "a.jpg")
    save(train_val / "cup" / "more" / "a.jpg")
    save(root / "test" / "boat" / "a.jpg")
    os.mkfifo(train_val / "cup" / "fifo.jpg")
    (train_val / "linked").symlink_to(tmp_path / "outside", target_is_directory=True)
    text = complaint(dataset_in(root), shots=3)
    assert text.count("cannot be used:") == 1
    for part in (
        *bad,
        "empty_class: no images",
        "`few` has 1 readable train-val images, and 3 shots need 4",
        "differ only in case",
        "the class name contains the character '\\u200b'",
        "cup/more: folder inside a class folder",
        "cup/fifo.jpg: a pipe, a socket or a device",
        "boat: this class has no folder in",
        "linked: a link to a folder outside of",
        "link.jpg: outside of",
        "decompression bomb",
        "or set `on_bad_image: skip`",
    ):
        assert part in text, part


def test_skipped_files_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    good_folder(tmp_path / "photos")
    clean = index_dataset(dataset_in(tmp_path / "photos"))
    assert clean.skipped == []
    bad = add_bad_images(tmp_path / "photos", tmp_path / "outside")
    index = index_dataset(dataset_in(tmp_path / "photos", on_bad_image="skip"), shots=3)
    assert index.images == clean.images
    assert {Path(row.path).name for row in index.skipped} == bad
    assert f"left out {len(bad)} files that cannot be used; skipped.csv has the reasons" in index.notes
    for row in index.skipped:
        assert (row.class_name, row.split) == ("cup", "train_val")
        assert Path(row.path).name in row.reason


def test_problems_of_the_layout_are_never_skipped(tmp_path: Path) -> None:
    good_folder(tmp_path)
    (tmp_path / "train-val" / "bench").mkdir()
    assert "bench" in complaint(dataset_in(tmp_path, on_bad_image="skip"))


def test_a_class_with_only_bad_images_is_reported_even_if_they_are_skipped(tmp_path: Path) -> None:
    good_folder(tmp_path)
    for number in range(4):
        (tmp_path / "train-val" / "cup" / f"cup ({number}) [é].jpg").write_bytes(b"x")
    text = complaint(dataset_in(tmp_path, on_bad_image="skip"), shots=2)
    assert "the class `cup` has 0 readable train-val images" in text and "pine" not in text


def test_a_dataset_without_test_images_is_reported(tmp_path: Path) -> None:
    good_folder(tmp_path)
    for file in (tmp_path / "test").rglob("*.jpg"):
        file.unlink()
    assert "the dataset has no test images" in complaint(dataset_in(tmp_path))


def test_many_broken_files_do_not_hide_too_few_images(tmp_path: Path) -> None:
    good_folder(tmp_path)
    for number in range(60):
        (tmp_path / "test" / "cup" / f"{number}.jpg").write_bytes(b"x")
    assert "`cup` has 4 readable train-val" in complaint(dataset_in(tmp_path), shots=8)


def test_shots_need_one_more_to_validate(tmp_path: Path) -> None:
    good_folder(tmp_path, per_class=4)
    assert len(index_dataset(dataset_in(tmp_path), shots=3).images) == 16
    assert complaint(dataset_in(tmp_path), shots=4).count("4 shots need 5") == 2


def test_the_root_itself_may_be_a_link_and_hold_links_that_stay_inside(tmp_path: Path) -> None:
    good_folder(tmp_path / "photos")
    (tmp_path / "photos" / "test" / "cup" / "again.jpg").symlink_to("cup (0) [é].jpg")
    (tmp_path / "link").symlink_to("photos", target_is_directory=True)
    rows = index_dataset(dataset_in(tmp_path / "link")).images
    assert len(rows) == 17
    assert all(row.path.startswith((tmp_path / "link").as_posix()) for row in rows)


def test_files_of_operating_systems_are_ignored(tmp_path: Path) -> None:
    good_folder(tmp_path)
    for name in ("Thumbs.db", "desktop.ini", "._cup (0).jpg"):
        (tmp_path / "train-val" / "cup" / name).write_bytes(b"x")
    assert len(index_dataset(dataset_in(tmp_path)).images) == 16


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_reported(tmp_path: Path) -> None:
    good_folder(tmp_path)
    (tmp_path / "train-val" / "cup" / "cup (0) [é].jpg").chmod(0)
    assert "cup (0)" in complaint(dataset_in(tmp_path))


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        (["cup\x00"], "'\\x00'"),
        (["cup\u200b"], "'\\u200b'"),
        (["cup\u202epuc"], "'\\u202e'"),
        (["cup\udce9"], "'\\udce9'"),
        (["_-_"], "no letter, digit or pictogram"),
        (["pooled"], "all classes together"),
        (["x" * 81], "more than 80 characters"),
        (["cup", "Cup"], "differ only in case"),
        (["pine_tree", "pine__tree"], "differ only in case or spacing"),
        (["STRASSE", "straße"], "differ only in case"),
        (["ﬁsh", "fish"], "differ only in case"),
        (["a<b", "a‹b"], "or in `<` and `‹`"),
        (["mīm", "m\u200cīm"], "differ only in case"),
    ],
)
def test_class_names_that_cannot_be_used(labels: list[str], part: str) -> None:
    (problem,) = class_problems({label: f"folder {number}" for number, label in enumerate(labels)})
    assert part in problem
    assert all(f"folder {number}" in problem for number in range(len(labels)))


def test_class_names_that_can_be_used() -> None:
    names = [
        "cup",
        "pine_tree",
        "t-shirt",
        "jack-o'-lantern",
        "mug_(red)",
        "mug_[blue]",
        "été",
        "杯子",
        "737",
        "a,b",
        "A&B",
        "salt/pepper",
        "a\\b",
        "<script>alert(1)</script>",
        "{class_name}",
        "$(touch pwned)",
        "کتاب\u200cها",
        "👩\u200d🔬",
        "__metadata__",
        "None",
    ]
    assert class_problems({class_label(name): name for name in names}) == []


def test_a_photo_with_odd_exif_data_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.random.RandomState(1).randint(0, 256, (8, 16, 3), dtype=np.uint8))
    image.save(tmp_path / "a.jpg", exif=exif)
    content = (tmp_path / "a.jpg").read_bytes()
    start = content.index(b"Exif\0\0") + 6
    block = bytearray(content[start : start + 26])
    order = "<" if block[:2] == b"II" else ">"
    # One more entry: a rational number of no values.
    entry = struct.pack(f"{order}HHII", 0x9C9B, 5, 0, 0)
    block[8:10] = struct.pack(f"{order}H", 2)
    longer = bytes(block[:22]) + entry + bytes(block[22:])
    size = struct.unpack(">H", content[start - 8 : start - 6])[0] + len(entry)
    odd = content[: start - 8] + struct.pack(">H", size) + b"Exif\0\0" + longer + content[start + 26 :]
    (tmp_path / "odd.jpg").write_bytes(odd)
    np.testing.assert_array_equal(
        np.asarray(load_image(tmp_path / "odd.jpg")), np.asarray(load_image(tmp_path / "a.jpg"))
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "MPO", "PPM"])
def test_any_broken_file_is_an_image_or_a_clear_error(tmp_path: Path, form: str) -> None:
    random = np.random.RandomState(0)
    path = tmp_path / "photo"
    Image.fromarray(random.randint(0, 256, (20, 30, 3), dtype=np.uint8)).save(path, form)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    for _ in range(60):
        broken = whole[: random.randint(1, len(whole) + 1)].copy()
        places = random.randint(0, min(len(broken), 400), size=3)
        broken[places] = random.randint(0, 256, size=3)
        path.write_bytes(broken.tobytes())
        try:
            assert load_image(path).mode == "RGB"
        except InputError as error:
            assert str(path) in str(error)


def test_the_table_of_skipped_files_survives_a_round_trip(tmp_path: Path) -> None:
    rows = [SkippedImage("a, [é].jpg", "cup", "test", 'it is "cut",\nshort')]
    write_skipped(rows, tmp_path / "skipped.csv")
    assert read_skipped(tmp_path / "skipped.csv") == rows
    (tmp_path / "other.csv").write_text("path,class\n")
    with pytest.raises(InputError, match="other.csv.*split, reason"):
        read_skipped(tmp_path / "other.csv")

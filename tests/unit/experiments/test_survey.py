"""What a folder of photos holds: counts, files that cannot be read, problems."""

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from diagen.errors import InputError
from diagen.experiments.survey import look_at
from tests.unit.experiments.photos import write_photos

HEIC_FILE = b"\0\0\0\x18ftypheic" + bytes(100)


def message(root: Path) -> str:
    """The text of the error for a folder."""
    with pytest.raises(InputError) as error:
        look_at(root)
    return str(error.value)


def test_classes_and_splits_are_counted(tmp_path: Path) -> None:
    write_photos(tmp_path, {"train/cat": 5, "train/pine tree": 3, "test/cat": 2, "test/pine tree": 1, "val/cat": 1})
    survey = look_at(tmp_path)
    assert survey.classes == ["cat", "pine_tree"] and survey.tested
    assert survey.counts == {
        "train_val": {"cat": 5, "pine_tree": 3},
        "test": {"cat": 2, "pine_tree": 1},
        "val": {"cat": 1},
    }
    assert any("`val` has no images of `pine_tree`" in note for note in survey.notes)
    assert not survey.unreadable


def test_files_that_cannot_be_read_are_counted_by_reason(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 3, "dog": 3})
    (tmp_path / "cat/notes.txt").write_text("none")
    (tmp_path / "cat/empty.jpg").write_bytes(b"")
    (tmp_path / "dog/phone.HEIC").write_bytes(HEIC_FILE)
    (tmp_path / "dog/.hidden.jpg").write_bytes(b"")
    os.symlink("/etc/hostname", tmp_path / "dog/out.jpg")
    survey = look_at(tmp_path)
    assert survey.learned == {"cat": 3, "dog": 3}
    assert {reason: sorted(path.name for path in paths) for reason, paths in survey.unreadable.items()} == {
        "files that are no images": ["empty.jpg", "notes.txt"],
        "HEIC photos, which are not supported": ["phone.HEIC"],
        "links out of the folder": ["out.jpg"],
    }
    assert any(".hidden.jpg" in note for note in survey.notes)


def test_photos_are_counted_by_their_content_whatever_their_names(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 2, "dog": 2})
    for name in ('it\'s "q" $(touch pwned).jpg', "line\nbreak.jpg", "صورة 😀", "-rf.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / "cat" / name, "PNG")
    assert look_at(tmp_path).learned == {"cat": 6, "dog": 2}


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 2, "cat/more": 2, "dog": 0, "Pooled": 1, "pooled": 1, "phone": 0})
    (tmp_path / "phone/0.heic").write_bytes(HEIC_FILE)
    text = message(tmp_path)
    assert text.splitlines()[0].startswith(f"{tmp_path}: ") and text.splitlines()[0].endswith(" problems:")
    for part in (
        "cat/more: folder inside a class folder; move its images into",
        "dog: no images in this class folder; add some or remove it",
        "`pooled` is reserved",
        "differ only in case or spacing",
        "the class `phone` has no readable photos to learn from",
    ):
        assert part in text
    assert len(text.splitlines()) >= 6


def test_one_problem_takes_one_line(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 2})
    text = message(tmp_path)
    assert "\n" not in text and "one class, `cat`" in text and str(tmp_path) in text


def test_a_link_to_the_folder_itself_ends(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 2, "dog": 2})
    os.symlink(tmp_path, tmp_path / "loop")
    assert "folder inside a class folder" in message(tmp_path)
    os.unlink(tmp_path / "loop")
    os.symlink(tmp_path, tmp_path / "dog" / "loop")
    assert "loop: folder inside a class folder" in message(tmp_path)


def test_a_folder_that_cannot_be_read_is_named_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(tmp_path, {"cat": 2, "dog": 2})

    def deny(path: Path) -> None:  # permissions do not stop the administrator, who may run the tests
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", deny)
    assert message(tmp_path) == (
        f"{tmp_path}: cannot be read (Permission denied); make it readable: chmod -R u+rX {tmp_path}"
    )


@pytest.mark.slow
def test_ten_thousand_photos_take_seconds(tmp_path: Path) -> None:
    write_photos(tmp_path, {"cat": 1, "dog": 1})
    for name in ("cat", "dog"):
        for number in range(5_000):
            os.link(tmp_path / name / "0.jpg", tmp_path / name / f"{number + 1}.jpg")
    started = time.monotonic()
    assert look_at(tmp_path).learned.total() == 10_002
    assert time.monotonic() - started < 30

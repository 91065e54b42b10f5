"""`bench/record_demo.py` replaces its own recordings, and no other folder."""

from pathlib import Path

import pytest

from bench import record_demo
from diagen.errors import InputError


@pytest.mark.parametrize("name", ["jobs.json", "results", "photo.png"])
def test_a_folder_with_other_files_is_kept(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"^--folder {tmp_path}: not empty, and no recording"):
        record_demo.empty_folder(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_folder_that_contains_the_repository_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a recording was written into it."""
    root = tmp_path / "diagen"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    monkeypatch.setattr(record_demo, "ROOT", root)
    for folder in (tmp_path, root, root / "..", tmp_path / "link"):
        (folder / record_demo.MARK).touch()
        with pytest.raises(InputError, match="contains this repository"):
            record_demo.empty_folder(folder)
    assert root.is_dir()


def test_a_recording_is_replaced_also_an_interrupted_one(tmp_path: Path) -> None:
    folder, linked = tmp_path / "new" / "recording", tmp_path / "linked"
    linked.mkdir()
    (linked / "kept").touch()
    record_demo.empty_folder(folder)
    (folder / "results").mkdir()
    (folder / "demo").symlink_to(linked)
    assert record_demo.empty_folder(folder) == folder
    assert [path.name for path in folder.iterdir()] == [record_demo.MARK]
    assert (linked / "kept").exists()
    (tmp_path / "empty").mkdir()
    record_demo.empty_folder(tmp_path / "empty")

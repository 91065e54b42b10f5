"""Remedies that a user may paste into a shell."""

import subprocess
from pathlib import Path

import pytest

from diagen.errors import rm


@pytest.mark.parametrize("name", ["a.csv", "two words.csv", "it's.csv", "$HOME.csv", "-n.csv", "a\nb.csv", "ä;b.csv"])
def test_rm_deletes_exactly_these_files(name: str, tmp_path: Path) -> None:
    files = [tmp_path / name, tmp_path / f"other {name}"]
    for file in (*files, kept := tmp_path / "kept.csv"):
        file.touch()
    subprocess.run(["sh", "-c", rm(*files)], check=True)
    assert list(tmp_path.iterdir()) == [kept]

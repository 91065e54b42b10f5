"""Files appear whole or not at all, and a full disk is told as such, whichever library met it."""

import errno
import os

import pytest
from safetensors import SafetensorError

from diagen.errors import InputError
from diagen.files.atomic import TEMPORARY, atomic_path

FULL = os.strerror(errno.ENOSPC)


def test_a_file_is_there_when_it_was_written_and_not_before(tmp_path):
    path = tmp_path / "new/table.csv"
    with atomic_path(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
        assert temporary.suffix == ".csv" and TEMPORARY.fullmatch(temporary.name)
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]
    assert path.read_text() == "content"


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, FULL),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        SafetensorError(f"I/O error: {FULL}"),
    ],
    ids=["disk", "quota", "safetensors"],
)
def test_a_full_disk_is_told_with_the_file_and_the_remedy(tmp_path, error):
    with pytest.raises(InputError, match=r"table\.csv can't be written: the disk is full; make room"):
        with atomic_path(tmp_path / "table.csv") as temporary:
            temporary.write_text("half")
            raise error
    assert list(tmp_path.iterdir()) == []


def test_another_error_isnt_taken_for_a_full_disk(tmp_path):
    with pytest.raises(OSError, match="written"), atomic_path(tmp_path / "features.npy"):
        raise OSError("100 requested and 99 written")


@pytest.mark.parametrize("name", ["table.csv", ".lock", ".hidden.csv", ".table.tmp.csv", "table.123.tmp.csv"])
def test_no_other_name_is_taken_for_a_temporary_one(name):
    assert not TEMPORARY.fullmatch(name)

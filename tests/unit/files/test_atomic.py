"""Atomic writes; a full disk is reported whichever library encounters it."""

import errno
import os

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from diagen.errors import InputError
from diagen.files.atomic import TEMPORARY, atomic_path

FULL = os.strerror(errno.ENOSPC)


def test_a_file_exists_only_after_it_is_written(tmp_path):
    path = tmp_path / "new/table.csv"
    with atomic_path(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
        assert temporary.suffix == ".csv" and TEMPORARY.fullmatch(temporary.name)
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]
    assert path.read_text() == "content"


def test_every_library_s_files_have_the_permissions_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "state.safetensors") as temporary:
            save_file({"a": np.zeros(2)}, temporary)
    finally:
        os.umask(before)
    assert (tmp_path / "state.safetensors").stat().st_mode & 0o777 == 0o640


def test_after_an_error_only_the_old_file_remains(tmp_path):
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
def test_a_full_disk_is_reported_with_file_and_remedy(tmp_path, error):
    with pytest.raises(InputError, match=r"table\.csv cannot be written: the disk is full\. Make room, .*prune_images"):
        with atomic_path(tmp_path / "table.csv") as temporary:
            temporary.write_text("half")
            raise error
    assert list(tmp_path.iterdir()) == []


def test_other_errors_do_not_count_as_a_full_disk(tmp_path):
    with pytest.raises(OSError, match="written"), atomic_path(tmp_path / "features.npy"):
        raise OSError("100 requested and 99 written")


@pytest.mark.parametrize("name", ["table.csv", ".lock", ".hidden.csv", ".table.tmp.csv", "table.123.tmp.csv"])
def test_other_names_do_not_count_as_temporary(name):
    assert not TEMPORARY.fullmatch(name)

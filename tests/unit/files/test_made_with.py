"""What results were made with is recorded beside them and read back."""

import importlib.metadata
import json
import platform
from pathlib import Path

import pytest

from diagen.errors import InputError
from diagen.files.made_with import from_text, made_with, made_with_path, read_made_with, to_text, write_made_with


def test_a_record_names_versions_device_and_division_of_work() -> None:
    record = dict(made_with(["numpy", "no-such-package"], torch_threads=2, micro_batch=16))
    assert record == {
        "numpy": importlib.metadata.version("numpy"),
        "no-such-package": "unknown",
        "device": f"cpu {platform.machine()}",
        "torch_threads": "2",
        "micro_batch": "16",
    }
    assert dict(made_with([], "cuda NVIDIA H100"))["device"] == "cuda NVIDIA H100"


def test_parts_with_equal_records_are_counted(tmp_path: Path) -> None:
    first, second = made_with(["numpy"], micro_batch=8), made_with(["numpy"], micro_batch=4)
    result = tmp_path / "manifest.csv"
    write_made_with([first, second, first], result)
    assert made_with_path(result) == tmp_path / "manifest.made_with.json"
    shares = read_made_with(made_with_path(result))
    assert [(share["parts"], share["made_with"]["micro_batch"]) for share in shares] == [(1, "4"), (2, "8")]


def test_a_record_survives_the_metadata_of_a_file() -> None:
    record = made_with(["numpy"], micro_batch=8)
    assert from_text(to_text(record)) == record
    with pytest.raises(ValueError):
        from_text('{"micro_batch": 8}')


def test_damage_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.made_with.json").write_text(json.dumps([{"parts": 0, "made_with": {}}]))
    with pytest.raises(InputError, match=r"x\.made_with\.json"):
        read_made_with(tmp_path / "x.made_with.json")

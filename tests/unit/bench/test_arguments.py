"""Mistakes in the arguments of the programs of bench/ are found before anything is measured, written or deleted."""

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from bench import full_size, growth
from bench.arguments import output_file
from bench.side_by_side import __main__ as side_by_side
from diagen.errors import InputError


def test_an_output_in_a_new_folder_is_accepted_and_one_that_exists_is_kept(tmp_path: Path) -> None:
    assert output_file(str(tmp_path / "new" / "a.json")) == tmp_path / "new" / "a.json"
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "a.json").write_text("results")
    output_file(str(tmp_path / "a.json"))
    assert (tmp_path / "a.json").read_text() == "results"


@pytest.mark.parametrize("name", ["", "file/a.json", "a" * 300 + "/a.json"])
def test_an_output_that_cannot_be_written_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(argparse.ArgumentTypeError, match=r"^cannot write '.*' \(.+\)\. Name a file "):
        output_file(str(tmp_path / name))


@pytest.mark.parametrize(
    ("program", "option", "value", "message"),
    [
        (side_by_side, "--repeats", "0", "'0' is not a whole number of 1 or more"),
        (side_by_side, "--threads", "0", "'0' is not a whole number of 1 or more"),
        (side_by_side, "--output", ".", "cannot write '.' (Is a directory)"),
        (growth, "--output", ".", "cannot write '.' (Is a directory)"),
        (growth, "--figure", "a.pdf", "'a.pdf' does not end with .svg or .png"),
        (growth, "--figure", "pyproject.toml/a.svg", "cannot write 'pyproject.toml/a.svg'"),
        (full_size, "--cores", "0", "'0' is not a whole number of 1 or more"),
    ],
)
def test_a_wrong_argument_is_refused(
    program: ModuleType,
    option: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["program", option, value])
    with pytest.raises(SystemExit, match="^2$"):
        program.main()
    assert f"error: argument {option}: {message}" in capsys.readouterr().err


def test_a_missing_configuration_is_found_before_models_are_written_and_results_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(full_size, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["full_size.py", "--configfile", "missing.yaml"])
    with pytest.raises(InputError, match=r"^--configfile missing\.yaml: no such file\. Correct the path$"):
        full_size.main()
    assert [path.name for path in tmp_path.iterdir()] == ["results"]

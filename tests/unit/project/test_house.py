"""The library's shape: small modules in small packages, and nothing in the packages' own files."""

import ast
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[3] / "workflow_scripts" / "diagen"
FOLDERS = sorted({path.parent for path in LIBRARY.rglob("*.py")})
PROGRAMS = [path for path in LIBRARY.parent.glob("*.py") if not path.name.startswith("describe_")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(LIBRARY.parent).as_posix())
def test_a_folder_is_read_at_a_glance(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= 12, "split the package"
    long = {path.name: lines for path in modules if (lines := len(path.read_text("utf-8").splitlines())) > 300}
    assert not long, "split these modules"
    if folder.name != "config":
        code = ast.parse((folder / "__init__.py").read_text("utf-8")).body[1:]
        assert not code, "a package's own file couples all its modules"


def test_programs_read_call_and_write() -> None:
    long = {path.name: lines for path in PROGRAMS if (lines := len(path.read_text("utf-8").splitlines())) > 80}
    assert not long, "what decides results belongs into the library"

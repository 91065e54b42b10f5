"""The fingerprint changes with what a program computes, and with nothing else."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from diagen.runtime.fingerprint import canonical, fingerprint

PROGRAM = """
'''What it does.'''
import json
from diagen import tool
from .beside import helper


def main(x):
    from diagen.late import later
    # a remark
    return tool.work(x) + later(f"{x:>{3}}" "b")
"""
LIBRARY = {
    "diagen/__init__.py": "VERSION = 1\n",
    "diagen/tool.py": "from diagen.config import Config\nfrom diagen.deep import base\ndef work(x): return base(x)\n",
    "diagen/deep.py": "def base(x):\n    return x + 1\n",
    "diagen/late.py": "import torch\n\ndef later(x):\n    '''Doc.'''\n    return x\n",
    "diagen/unused.py": "A = 1\n",
    "diagen/config/__init__.py": "class Config:\n    steps = 1\n",
    "beside.py": "def helper():\n    pass\n",
    "program.py": PROGRAM,
}


def write(folder: Path, **changes: tuple[str, str]) -> str:
    """Write the little project with `changes` (file -> old text, new text) and return its program's fingerprint."""
    for name, text in LIBRARY.items():
        old, new = changes.get(name.removesuffix(".py").replace("/", "_"), ("", ""))
        assert old in text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new, 1) if old else text)
    return fingerprint(folder / "program.py", (folder,))


@pytest.fixture
def original(tmp_path):
    return write(tmp_path / "original")


@pytest.mark.parametrize(
    "changes",
    [
        {"program": ("# a remark", "# another remark")},
        {"program": ("'''What it does.'''", "'''What it\n    really does.'''")},
        {"program": ("tool.work(x) + later", "tool.work(\n        x\n    ) + later")},
        {"diagen_late": ("'''Doc.'''", "'Other.'")},
        {"diagen_unused": ("1", "2")},
        {"diagen_config___init__": ("1", "2")},
    ],
)
def test_form_changes_nothing(tmp_path, original, changes):
    assert write(tmp_path / "changed", **changes) == original


@pytest.mark.parametrize(
    "changes",
    [
        {"program": ("{3}", "{4}")},
        {"diagen_tool": ("base(x)", "base(-x)")},
        {"diagen_deep": ("x + 1", "x + 2")},
        {"diagen_late": ("return x", "return -x")},
        {"diagen___init__": ("1", "2")},
        {"beside": ("pass", "return 1")},
    ],
)
def test_what_is_computed_changes_it(tmp_path, original, changes):
    assert write(tmp_path / "changed", **changes) != original


def test_an_empty_string_in_a_list_counts_and_an_empty_piece_of_an_f_string_does_not():
    assert canonical(ast.parse("['', x]")) != canonical(ast.parse("[x]"))
    assert canonical(ast.parse("f'{x}' ''")) == canonical(ast.parse("f'{x}'"))


def test_all_programs_of_the_project_are_quick_and_differ():
    programs = sorted(Path("workflow_scripts").glob("*.py"))
    assert len({fingerprint(program) for program in programs}) == len(programs)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_python_versions_agree(version, tmp_path):
    """Each interpreter that is installed must give the hash that this one gives."""
    interpreter = _interpreter(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} here")
    script = textwrap.dedent("""
        import importlib.util, pathlib, sys
        spec = importlib.util.spec_from_file_location("fingerprint", "workflow_scripts/diagen/runtime/fingerprint.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for path in sys.argv[1:]:
            print(path, module.fingerprint(pathlib.Path(path)))
    """)
    programs = sorted(str(path) for path in Path("workflow_scripts").glob("*.py"))
    answers = [
        subprocess.run([python, "-c", script, *programs], capture_output=True, text=True, check=True).stdout
        for python in (interpreter, sys.executable)
    ]
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == len(programs)


def _interpreter(version: str) -> str | None:
    candidates = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in candidates:
        try:
            found = subprocess.run([candidate, "--version"], capture_output=True, text=True)
        except OSError:
            continue
        if found.returncode == 0 and found.stdout.startswith(f"Python {version}."):
            return candidate
    return None

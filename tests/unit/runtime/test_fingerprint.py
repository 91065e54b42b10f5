"""The fingerprint changes only with what a program computes."""

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
TOOL = """
from typing import TYPE_CHECKING
from diagen import files
from diagen.config import Config
from diagen.deep import base
from diagen.plan_file import A
from diagen.runtime import lock
if TYPE_CHECKING:
    from diagen.typed import A as B
def work(x): return base(x)
"""
DEEP = """
from diagen.errors import InputError, Problem

def base(x):
    if x is None:
        raise ValueError('bad')
    print('odd')
    print('row 1', file=table)
    measure(x, unit='cm')
    for y in progress([x], progress_label='learning', unit='working'):
        z = Problem('text')
    return x + 1
"""
LIBRARY = {
    "diagen/__init__.py": "",
    "diagen/tool.py": TOOL,
    "diagen/deep.py": DEEP,
    "diagen/errors.py": "class InputError(Exception):\n    pass\n",
    "diagen/files/__init__.py": "A = 1\n",
    "diagen/runtime/__init__.py": "",
    "diagen/runtime/lock.py": "A = 1\n",
    "diagen/plan_file.py": "A = 1\n",
    "diagen/typed.py": "A = 1\n",
    "diagen/late.py": "import torch\n\ndef later(x):\n    '''Doc.'''\n    return x\n",
    "diagen/unused.py": "A = 1\n",
    "diagen/config/__init__.py": "class Config:\n    steps = 1\n",
    "beside.py": "def helper():\n    pass\n",
    "program.py": PROGRAM,
}


def write(folder: Path, **changes: tuple[str, str]) -> str:
    """Write the small project with `changes` (file -> old text, new text) and return its program's fingerprint."""
    for name, text in LIBRARY.items():
        old, new = changes.get(name.removesuffix(".py").replace("/", "_"), ("", ""))
        assert old in text
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new, 1) if old else text)
    return fingerprint(folder / "program.py", roots=(folder,))


@pytest.fixture
def original(tmp_path):
    return write(tmp_path / "original")


@pytest.mark.parametrize(
    "changes",
    [
        {"program": ("# a remark", "# another remark")},
        {"program": ("'''What it does.'''", "'''What it\n    really does.'''")},
        {"diagen_tool": ("return base(x)", "return base(\n        x\n    )")},
        {"program": ("{3}", "{4}")},
        {"beside": ("pass", "return 1")},
        {"diagen_tool": ("def work(x)", "def work(x: int) -> int")},
        {"diagen_deep": ("'bad'", "'worse'")},
        {"diagen_deep": ("'odd'", "'strange'")},
        {"diagen_deep": ("'working'", "'at work'")},
        {"diagen_deep": ("'learning'", "'training'")},
        {"diagen_deep": ("'text'", "'other text'")},
        {"diagen_tool": ("from typing import TYPE_CHECKING", "from typing import TYPE_CHECKING, Any")},
        {"diagen_errors": ("pass", "code = 2")},
        {"diagen_deep": ("import InputError, Problem", "import InputError, Problem, rm")},
        {"diagen_tool": ("from diagen.runtime import lock", "from diagen.runtime import lock, progress")},
        {"diagen_files___init__": ("1", "2")},
        {"diagen_runtime_lock": ("1", "2")},
        {"diagen_plan_file": ("1", "2")},
        {"diagen_typed": ("1", "2")},
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
        {"program": ("from diagen.late import later", "from diagen.unused import A as later")},
        {"diagen_tool": ("base(x)", "base(-x)")},
        {"diagen_tool": ("from diagen.plan_file import A", "from diagen.plan_file import B as A")},
        {"diagen_deep": ("x + 1", "x + 2")},
        {"diagen_late": ("return x", "return -x")},
        {"diagen_deep": ("ValueError", "TypeError")},
        {"diagen_deep": ("'row 1'", "'row 2'")},
        {"diagen_deep": ("unit='cm'", "unit='mm'")},
        {"diagen_deep": ("if x is None", "if x == 0")},
    ],
)
def test_what_is_computed_changes_it(tmp_path, original, changes):
    assert write(tmp_path / "changed", **changes) != original


def test_an_empty_string_in_a_list_counts_and_an_empty_piece_of_an_f_string_does_not():
    assert canonical(ast.parse("['', x]")) != canonical(ast.parse("[x]"))
    assert canonical(ast.parse("f'{x}' ''")) == canonical(ast.parse("f'{x}'"))


def test_programs_of_different_stages_have_different_fingerprints():
    programs = ["draw_shots", "plan_generation", "generate_images", "train_downstream", "measure_diversity"]
    assert len({fingerprint(Path(f"workflow_scripts/{program}.py")) for program in programs}) == len(programs)


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

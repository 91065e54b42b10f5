"""Every program reports errors in its `--settings` by key, without a traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = [path for path in sorted(Path("workflow_scripts").glob("*.py")) if "--settings" in path.read_text("utf-8")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_invalid_settings_are_reported(program: Path) -> None:
    result = subprocess.run([sys.executable, program, "--settings", '{"oops": 1}'], capture_output=True, text=True)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert re.search(r"argument --settings: .*`oops`: Extra inputs are not permitted", result.stderr)

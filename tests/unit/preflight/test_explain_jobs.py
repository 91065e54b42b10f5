"""What explains planned jobs names the mistake when there is nothing to explain."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--configfile", "missing.yaml"], "error: --configfile missing.yaml: no such file. Correct the path"),
        (["--configfile=missing.yaml"], "error: --configfile missing.yaml: no such file. Correct the path"),
        (["--configfile", "README.md"], "Config file is not valid JSON or YAML"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_mistakes(arguments: list[str], message: str) -> None:
    command = [sys.executable, "workflow_scripts/explain_jobs.py", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and message in result.stderr
    assert "Traceback" not in result.stderr and len(result.stderr.splitlines()) < 8

"""The schema and the tables of keys that are generated from the configuration's models."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import describe_config
from diagen.config import Config
from diagen.errors import InputError


def test_the_committed_schema_and_tables_are_up_to_date():
    command = [sys.executable, "workflow_scripts/describe_config.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_key_of_every_block_has_a_row():
    text = describe_config.keys_text()
    schema = Config.model_json_schema()
    keys = [key for block in (schema, *schema["$defs"].values()) for key in block["properties"]]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(keys)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_outdated_files_are_reported_and_rewritten(tmp_path):
    (tmp_path / "README.md").write_text(f"before\n{describe_config.START}\nOUTDATED\n{describe_config.END}\nafter\n")
    command = [sys.executable, "workflow_scripts/describe_config.py", "--folder", str(tmp_path)]
    check = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert check.returncode == 1 and "README.md" in check.stderr and "schema.json" in check.stderr
    subprocess.run(command, check=True)
    subprocess.run([*command, "--check"], check=True)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "OUTDATED" not in text
    assert json.loads((tmp_path / "schema.json").read_text())["additionalProperties"] is False


def test_a_readme_without_marks_is_an_error():
    with pytest.raises(InputError, match="lacks the marks"):
        describe_config.with_keys(Path("README.md").name)

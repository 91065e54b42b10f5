"""One set of pins: conda environments install what requirements.txt names, and everything in it is pinned."""

import re
from pathlib import Path

import pytest
import yaml

LOCK = [line for line in Path("requirements.txt").read_text("utf-8").splitlines() if line and not line.startswith("#")]


def test_every_requirement_is_pinned_once():
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][^ ]*", line) for line in LOCK)
    names = [line.split("==")[0] for line in LOCK]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", sorted(Path("envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_have_the_pins_of_the_lock(file):
    dependencies = yaml.safe_load(file.read_text("utf-8"))["dependencies"]
    pins = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert pins and set(pins) <= set(LOCK)


def test_every_rule_names_an_environment_that_exists():
    named = {
        name
        for rules in Path("rules").glob("*.smk")
        for name in re.findall(r'"\.\./(envs/\w+\.yaml)"', rules.read_text())
    }
    assert named == {path.as_posix() for path in Path("envs").glob("*.yaml")}

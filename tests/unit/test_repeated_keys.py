"""Keys that a YAML file holds twice."""

import json
from pathlib import Path

import pytest

from diagen.config.repeated_keys import repeated_keys

ROOT = Path(__file__).parents[2]


def test_each_is_told_with_its_block_and_lines() -> None:
    text = """\
seeds: [0]
generators:
  diagen: {strength: 0.7, strength: 0.5}
  da_fusion:
    strength: 0.5
  diagen:
    strength: 0.8
seeds: [1]
"seeds": [2]
"""
    assert repeated_keys(text) == [
        "`seeds`: stands in lines 1 and 8 and 9; keep one of them",
        "`generators.diagen`: stands in lines 3 and 6; keep one of them",
        "`generators.diagen.strength`: stands in lines 3 and 3; keep one of them",
    ]


def test_the_same_key_in_different_blocks_is_none() -> None:
    assert repeated_keys("a: &x {k: 1}\nb: {<<: *x, k: 2}\nc: *x\nd: [{k: 1}, {k: 2}]\n") == []
    assert repeated_keys(json.dumps({"a": {"b": 1}, "c": {"b": 1}})) == []


@pytest.mark.parametrize("text", ["", "text", "- 1\n- 2\n", "a: [1\nb: {", "a: *none", "? {b: 1}\n: c\n", "a: &x [*x]"])
def test_other_texts_have_none(text: str) -> None:
    assert repeated_keys(text) == []


@pytest.mark.parametrize("file", [*(ROOT / "config").glob("*.yaml")], ids=lambda file: file.name)
def test_shipped_configurations_have_none(file: Path) -> None:
    assert repeated_keys(file.read_text("utf-8")) == []

"""Keys that a YAML file contains twice."""

import json
from pathlib import Path

import pytest

from diagen.config.repeated_keys import repeated_keys

ROOT = Path(__file__).parents[3]


def test_each_is_reported_with_its_block_and_lines() -> None:
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
    assert repeated_keys(text, "a.yaml") == [
        "`seeds`: repeated in lines 1 and 8 and 9 of a.yaml; remove all but one",
        "`generators.diagen`: repeated in lines 3 and 6 of a.yaml; remove all but one",
        "`generators.diagen.strength`: repeated in lines 3 and 3 of a.yaml; remove all but one",
    ]


def test_the_same_key_in_different_blocks_is_not_repeated() -> None:
    assert repeated_keys("a: &x {k: 1}\nb: {<<: *x, k: 2}\nc: *x\nd: [{k: 1}, {k: 2}]\n", "a.yaml") == []
    assert repeated_keys(json.dumps({"a": {"b": 1}, "c": {"b": 1}}), "a.json") == []


def test_json_may_be_indented_by_tabs() -> None:
    text = '{\n\t"a": 1,\n\t"b": {\n\t\t"c": 1,\n\t\t"c": 2\n\t}\n}\n'
    assert repeated_keys(text, "a.json") == ["`b.c`: repeated in lines 4 and 5 of a.json; remove all but one"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &x {k: 1}\nb: &y {l: 1}\nc:\n  <<: *x\n  <<: *y\n",
        "text",
        "- 1\n- 2\n",
        "a: [1\nb: {",
        "a: *none",
        "? {b: 1}\n: c\n",
        "a: &x [*x]",
    ],
)
def test_other_texts_have_none(text: str) -> None:
    assert repeated_keys(text, "a.yaml") == []


@pytest.mark.parametrize("file", [*(ROOT / "config").glob("*.yaml")], ids=lambda file: file.name)
def test_shipped_configurations_have_none(file: Path) -> None:
    assert repeated_keys(file.read_text("utf-8"), file.name) == []

"""Mutations of every shipped configuration: each gives a valid configuration or a clear error."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.config import Config, ConfigError, load_config
from tests.empty_models import write_empty_models
from tests.mutations import WORDS, containers, mutate

ROOT = Path(__file__).parents[3]
FILE = "config/some.yaml"
SHIPPED = [
    yaml.safe_load(path.read_text("utf-8"))
    for path in (*sorted((ROOT / "config").glob("*.yaml")), ROOT / "tests/workflow/tiny.yaml")
]


@pytest.fixture(scope="module", autouse=True)
def in_a_folder_with_the_named_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All files and folders that the configurations name, empty, and the real instructions."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "config").mkdir()
    (folder / "config/instructions").symlink_to(ROOT / "config/instructions")
    for mapping in SHIPPED:
        for block in mapping["datasets"].values():
            (folder / block["root"]).mkdir(parents=True, exist_ok=True)
        write_empty_models(folder, mapping["models"])
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def check(mapping: Any) -> None:
    """The mapping is loaded, or rejected with problems that name keys; it is not changed."""
    original = repr(mapping)
    try:
        config = load_config(mapping, FILE)
    except ConfigError as error:
        assert error.problems and len(set(error.problems)) == len(error.problems)
        for problem in error.problems:
            assert problem.isprintable() and len(problem) < 2000
            assert problem.startswith("`") and ": " in problem or "bytes" in problem or "mapping" in problem, problem
    else:
        assert Config.model_validate_json(config.model_dump_json()) == config
    assert repr(mapping) == original


@pytest.mark.parametrize("mapping", SHIPPED, ids=lambda mapping: mapping["experiment"])
def test_unchanged_configurations_are_valid(mapping: dict[str, Any]) -> None:
    load_config(mapping, FILE)


@settings(max_examples=1000)
@given(data=st.data())
def test_any_mutation_gives_a_configuration_or_a_clear_error(data: st.DataObject) -> None:
    mapping = copy.deepcopy(SHIPPED[data.draw(st.integers(0, len(SHIPPED) - 1))])
    for _ in range(data.draw(st.integers(1, 3))):
        if mapping:
            mutate(mapping, data.draw)
    check(mapping)


@settings(max_examples=500)
@given(number=st.integers(0, len(SHIPPED) - 1), place=st.integers(0, 500), text=st.sampled_from(WORDS) | st.text())
def test_any_text_instead_of_any_other(number: int, place: int, text: str) -> None:
    mapping = copy.deepcopy(SHIPPED[number])
    texts = [
        (container, key)
        for container in containers(mapping)
        for key, value in (container.items() if isinstance(container, dict) else enumerate(container))
        if isinstance(value, str)
    ]
    container, key = texts[place % len(texts)]
    container[key] = text
    check(mapping)


@pytest.mark.parametrize("mapping", [None, [], "text", 3, {}, {None: 1}, {1: 2}, {("a",): 3}, [{"experiment": "x"}]])
def test_values_that_are_no_configuration(mapping: Any) -> None:
    with pytest.raises(ConfigError):
        load_config(mapping, FILE)
    check(mapping)


def test_blocks_that_share_a_yaml_anchor_are_two_blocks() -> None:
    text = (ROOT / "tests/workflow/tiny.yaml").read_text("utf-8")
    text += "recipes:\n  one: &one {epochs: 3}\n  two: *one\n  three: {<<: *one, batch: 2}\n"
    recipes = load_config(yaml.safe_load(text), FILE).recipes
    assert recipes["one"] == recipes["two"] and (recipes["three"].epochs, recipes["three"].batch) == (3, 2)

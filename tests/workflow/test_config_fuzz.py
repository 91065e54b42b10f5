"""Mutations of a configuration in the real Snakemake: valid ones are planned, invalid ones give a clear error."""

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.config import ConfigError, load_config
from tests.mutations import NUMBERS, WORDS, containers, mutate
from tests.workflow.project import CONFIG, Project

EACH = 12  # valid configurations, and as many invalid ones


def richer(config: dict[str, Any]) -> dict[str, Any]:
    """The tiny configuration with a block of each further kind and free texts."""
    config["embeddings"]["paper"]["initializer"] = "a {class_name}"
    config["generators"]["diagen"] |= {"negative_prompt": "a drawing", "noise_ceiling": "own"}
    config["noise_ceilings"] = {"own": {"embedding": "paper", "guide_classifier": "paper", "levels": [0.01, 0.1]}}
    config["recipes"] = {"long": {"epochs": 3}}
    config["methods"]["long"] = {"recipe": "long"}
    endpoint = {"source": "endpoint", "base_url": "http://localhost/v1", "model": "m"}
    config["prompts"]["asked"] = endpoint | {"instruction": "config/instructions/paper.txt"}
    config["generators"]["da_fusion"]["prompts"] = "asked"
    return config


def mutants(config: dict[str, Any]) -> tuple[list[dict], list[dict]]:
    """Valid configurations, each with one changed value, and invalid ones."""
    valid: list[dict] = []
    invalid: list[dict] = []
    places = [
        (number, key)
        for number, container in enumerate(containers(config))
        for key, value in (container.items() if isinstance(container, dict) else enumerate(container))
        if not isinstance(value, dict | list)
    ]

    @settings(max_examples=400)
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        mutant = copy.deepcopy(config)
        if data.draw(st.booleans()):
            mutate(mutant, data.draw)
        else:
            number, key = places[data.draw(st.integers(0, len(places) - 1))]
            container = list(containers(mutant))[number]
            container[key] = data.draw(st.sampled_from(WORDS if isinstance(container[key], str) else NUMBERS))
        try:
            load_config(mutant, CONFIG)
        except ConfigError:
            invalid.append(mutant)
        else:
            if mutant not in valid and mutant != config:
                valid.append(mutant)

    collect()
    return valid[-EACH:], invalid[-EACH:]


@pytest.mark.slow
def test_valid_ones_are_planned_and_invalid_ones_give_a_clear_error(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fresh.folder)
    valid, invalid = mutants(richer(yaml.safe_load(Path(CONFIG).read_text("utf-8"))))
    assert len(valid) == len(invalid) == EACH

    def planned(numbered: tuple[int, dict]) -> str:
        number, mutant = numbered
        file = Path(f"config/mutant{number}.yaml")
        file.write_text(yaml.safe_dump(mutant, allow_unicode=False), "utf-8")
        result = fresh.snakemake("--dry-run", "--nolock", "--quiet", "rules", "--configfile", str(file))
        assert "Traceback" not in result.stdout, (mutant, result.stdout)
        if number < EACH:
            assert result.returncode == 0, (mutant, result.stdout)
        else:
            assert result.returncode != 0 and f"{file}: " in result.stdout, (mutant, result.stdout)
            assert "in the configuration" in result.stdout and "\n  - " in result.stdout
        return result.stdout

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(planned, enumerate(valid + invalid)))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "- a list\n", "a: [1\nb: {", "just text"])
def test_files_without_a_configuration(fresh: Project, text: str) -> None:
    (fresh.folder / "config/broken.yaml").write_text(text)
    result = fresh.snakemake("--dry-run", "--configfile", "config/broken.yaml")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert "onfig file" in result.stdout or "in the configuration" in result.stdout

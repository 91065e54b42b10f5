"""The block `comparison`: its defaults, its mistakes, and the names that methods cannot have."""

from pathlib import Path

import pytest
import yaml

from diagen.config import Config, ConfigError, load_config

ROOT = Path(__file__).parents[3]


def configured(methods: dict[str, dict], comparison: dict | None = None) -> Config:
    mapping = yaml.safe_load((ROOT / "config/demo.yaml").read_text("utf-8"))
    mapping |= {"methods": methods} | ({"comparison": comparison} if comparison is not None else {})
    return load_config(mapping, "mine.yaml", check_files=False)


def problem(methods: dict[str, dict], comparison: dict | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        configured(methods, comparison)
    (only,) = caught.value.problems
    return only


FUSION = {"generator": "da_fusion", "synthetic_probability": 0.5}


@pytest.mark.parametrize(
    ("methods", "comparison", "primary", "baseline", "baselines"),
    [
        ({"standard": {}, "a": FUSION, "b": FUSION}, {}, "b", "standard", ("standard",)),
        ({"a": FUSION, "standard": {}}, {}, "a", "standard", ("standard",)),
        ({"a": FUSION, "b": FUSION}, {}, "b", "a", ("a",)),
        ({"standard": {}}, {}, None, "standard", ("standard",)),
        ({"standard": {}, "a": FUSION, "b": FUSION}, {"baseline": "b"}, "a", "b", ("b", "standard")),
        ({"a": FUSION}, {"baseline": "logistic_regression"}, "a", "logistic_regression", ("logistic_regression",)),
        ({"standard": {}, "a": FUSION}, {"primary": "nearest_class_mean"}, "nearest_class_mean", "standard", None),
    ],
)
def test_what_is_compared(methods, comparison, primary, baseline, baselines):
    config = configured(methods, comparison)
    assert (config.primary, config.baseline) == (primary, baseline)
    assert config.baselines == (baselines or (baseline,))
    assert config.compared_methods == (*methods, "logistic_regression", "nearest_class_mean")
    assert config.comparison.split == "test"


@pytest.mark.parametrize(
    ("comparison", "parts"),
    [
        ({"primary": "diagon"}, ["`comparison.primary`: no method `diagon`; known: standard, a, logistic_regression"]),
        ({"baseline": "diagon"}, ["`comparison.baseline`: no method `diagon`"]),
        ({"primary": "standard"}, ["`comparison.primary`: `standard` is also the baseline; name another"]),
        ({"primary": "a", "baseline": "a"}, ["`comparison.primary`: `a` is also the baseline"]),
        ({"split": "val"}, ["`comparison.split`", "test_uncommon"]),
        ({"prymary": "a"}, ["`comparison.prymary`: unknown key; did you mean `primary`?"]),
    ],
)
def test_mistakes_have_a_remedy(comparison, parts):
    found = problem({"standard": {}, "a": FUSION}, comparison)
    assert all(part in found for part in parts), found


@pytest.mark.parametrize("name", ["logistic_regression", "nearest_class_mean"])
def test_names_of_the_real_baselines_are_reserved(name):
    assert problem({name: FUSION, "a": FUSION}).startswith(f"`methods.{name}`: this name is reserved")

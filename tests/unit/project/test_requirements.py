"""One set of pins: requirements.txt fits pyproject.toml, and conda environments install its versions."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def lines_of(lock):
    return [line for line in Path(lock).read_text("utf-8").splitlines() if line and not line.startswith("#")]


LOCK = lines_of("requirements.txt")
PINS = dict(line.split("==") for line in LOCK)
PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
GROUPS = {"dependencies": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
DIRECT = [
    (group, requirement)
    for group, lines in GROUPS.items()
    for requirement in map(Requirement, lines)
    if requirement.name != PROJECT["name"]
]


def test_every_requirement_is_pinned_once():
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][^ ]*", line) for line in LOCK)
    names = [line.split("==")[0] for line in LOCK]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("group", "requirement"), DIRECT, ids=[f"{group}-{entry.name}" for group, entry in DIRECT])
def test_every_direct_dependency_is_pinned_within_its_range(group, requirement):
    lock = lines_of("docs/requirements.txt") if group == "docs" else LOCK
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lock)}
    name = canonicalize_name(requirement.name)
    assert name in pins, "run `make lock`"
    assert requirement.specifier.contains(pins[name]), "run `make lock`"


def test_the_lock_names_no_build_of_torch_and_no_cuda_package():
    assert re.fullmatch(r"[0-9.]+", PINS["torch"])
    assert not [name for name in PINS if re.match(r"nvidia|cuda|triton|pytorch-triton", name)]


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


def test_hooks_before_a_commit_have_the_versions_of_the_lock():
    hooks = yaml.safe_load(Path(".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    revisions = {Path(entry["repo"]).name: entry["rev"] for entry in hooks}
    assert revisions["ruff-pre-commit"] == f"v{PINS['ruff']}"
    assert revisions["snakefmt"] == f"v{PINS['snakefmt']}"


def test_the_snakefile_requires_the_version_of_the_lock():
    assert f'min_version("{PINS["snakemake"]}")' in Path("Snakefile").read_text("utf-8")


def test_the_citation_and_the_changelog_have_this_version():
    assert yaml.safe_load(Path("CITATION.cff").read_text("utf-8"))["version"] == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in Path("CHANGELOG.md").read_text("utf-8")

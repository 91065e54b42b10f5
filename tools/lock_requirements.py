"""Write requirements.txt: pins of the dependencies in pyproject.toml and of all that they need.

Existing pins stay if they fit; `--upgrade NAME ...` lets these change, `--upgrade all` every one. The pins hold for all
supported Pythons, so it runs with the oldest one: its packages need what newer ones have in their standard library.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path("requirements.txt")
PROJECT = Path("pyproject.toml")
HEAD = "# Pins of everything that .venv holds, for Python 3.11 to 3.13. Written by `make lock` from pyproject.toml.\n"
ELSEWHERE = ("docs",)
"""Extras that are pinned in a file of their own."""
ACCELERATOR = re.compile(r"nvidia-.*|cuda-.*|triton.*|pytorch-triton.*")
"""What torch needs for a GPU. It depends on torch's build and is installed with it, so nothing of it is pinned."""


def direct_dependencies(project: dict) -> dict[str, list[Requirement]]:
    """Requirements by group: `dependencies`, then each extra; those of an extra on another extra are left out."""
    groups = {"dependencies": project["dependencies"], **project["optional-dependencies"]}
    parsed = {group: [Requirement(line) for line in lines] for group, lines in groups.items() if group not in ELSEWHERE}
    return {
        group: [requirement for requirement in requirements if canonicalize_name(requirement.name) != project["name"]]
        for group, requirements in parsed.items()
    }


def read_pins(lock: Path) -> dict[str, str]:
    """Versions by name in a lock file; none if it is not there."""
    lines = lock.read_text("utf-8").splitlines() if lock.is_file() else []
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def resolve(requirements: list[Requirement], kept: dict[str, str]) -> dict[str, str]:
    """Versions by name that pip would install into an empty environment, given the pins `kept`. Installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in kept.items()), "utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--constraint", str(constraints), *map(str, requirements)]
        subprocess.run(command, check=True)
        installed = [entry["metadata"] for entry in json.loads(report.read_text("utf-8"))["install"]]
    # The local part of a version names a build of it, such as torch's `+cpu`; any build of that version will do.
    found = {canonicalize_name(package["name"]): package["version"].partition("+")[0] for package in installed}
    return {name: version for name, version in sorted(found.items()) if not ACCELERATOR.fullmatch(name)}


def render(groups: dict[str, list[Requirement]], pins: dict[str, str]) -> str:
    """The lock file: direct dependencies by group, each package once, then what those need."""
    left, text = dict(pins), HEAD
    for group, requirements in groups.items():
        names = sorted({canonicalize_name(requirement.name) for requirement in requirements} & left.keys())
        title = "What the library needs" if group == "dependencies" else f"Extra `{group}`"
        text += f"\n# {title}\n" + "".join(f"{name}=={left.pop(name)}\n" for name in names)
    return text + "\n# What those need\n" + "".join(f"{name}=={version}\n" for name, version in sorted(left.items()))


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", nargs="+", default=[], metavar="NAME", help="pins that may change, or `all`")
    arguments = parser.parse_args()
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    oldest = re.search(r">=\s*(\d+)\.(\d+)", project["requires-python"])
    if oldest is None or sys.version_info[:2] != tuple(map(int, oldest.groups())):
        parser.error(f"the lock is made with the oldest supported Python ({project['requires-python']})")
    changing = {canonicalize_name(name) for name in arguments.upgrade}
    kept = {name: pin for name, pin in read_pins(LOCK).items() if not changing & {name, "all"}}
    groups = direct_dependencies(project)
    pins = resolve([requirement for requirements in groups.values() for requirement in requirements], kept)
    LOCK.write_text(render(groups, pins), "utf-8")


if __name__ == "__main__":
    main()

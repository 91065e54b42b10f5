"""Projects that workflow tests share: a fresh one, a finished one, and a copy of that to change."""

import subprocess
from pathlib import Path

import pytest

from tests.workflow.project import Project, copy_project


@pytest.fixture
def fresh(tmp_path: Path, stand_ins: Path) -> Project:
    """A copy of the project without results."""
    return copy_project(tmp_path / "project", stand_ins)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Project:
    """The tiny workflow, run to its end on two cores. Tests share it and leave it as it is."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project", stand_ins)
    project.make("--cores", "2")
    return project


@pytest.fixture
def changeable(tmp_path: Path, finished: Project) -> Project:
    """A copy of the finished run, elsewhere, with all times of change kept."""
    subprocess.run(["cp", "-a", str(finished.folder), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project")

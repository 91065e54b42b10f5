"""The test cluster, a finished run of the same configuration without it, and the table of what the faults cost."""

import csv
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, NotHere, running_cluster
from tests.workflow.project import Project, copy_project

GENERATORS = ("da_fusion", "diagen")
CELL = "results/tiny/world/seed7/shots2"
MANIFESTS = [f"{CELL}/synthetic/{name}/manifest.csv" for name in GENERATORS]


@dataclass(frozen=True)
class Fault:
    """What a fault cost: images lost and made twice, of how many, and seconds until images were made again."""

    name: str
    lost: int
    repeated: int
    images: int
    seconds: float | None


FAULTS = pytest.StashKey[list[Fault]]()


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config) -> list[Fault]:
    """Where tests put what they measured."""
    return pytestconfig.stash.setdefault(FAULTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of faults."""
    for fault in config.stash.get(FAULTS, []):
        seconds = "" if fault.seconds is None else f"{fault.seconds:.0f} s until images were made again"
        counts = f"{fault.lost} lost, {fault.repeated} of {fault.images} images made twice"
        terminalreporter.write_line(f"{fault.name:<55} {counts}  {seconds}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node, which is taken down whatever happens."""
    # To be ended is to be interrupted, so that the cluster is taken down then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Not in pytest's own folder: the user `munge` must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="diagen-slurm-"))
    try:
        with running_cluster(folder) as running:
            yield running
    except NotHere as reason:
        pytest.skip(f"no test cluster: {reason}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path, cluster: Cluster) -> Project:
    """The same run with `--cores 2`: what each run on the cluster must give, whatever happens to it."""
    project = new_project(tmp_path_factory.mktemp("expected") / "project", stand_ins)
    project.make("--cores", "2")
    return project


@pytest.fixture
def without_images(tmp_path: Path, expected: Project) -> Project:
    """A copy of that run from which the images were taken, so that they are all there is to do."""
    subprocess.run(["cp", "-a", str(expected.folder), str(tmp_path / "project")], check=True)
    project = Project(tmp_path / "project")
    for name in set.union(*images_of(project)):  # not those of the noise ladder
        next((project.folder / "results/store/images").glob(f"*/{name}")).unlink()
    for manifest in MANIFESTS:
        (project.folder / manifest).unlink()
    return project


def images_of(project: Project) -> list[set[str]]:
    """The names of the images that each generator makes."""
    sets = []
    for manifest in MANIFESTS:
        with open(project.folder / manifest, newline="", encoding="utf-8") as file:
            sets.append({Path(row["file_name"]).name for row in csv.DictReader(file)})
    return sets


def new_project(folder: Path, stand_ins: Path) -> Project:
    """The tiny configuration where GPU jobs ask for a GPU, with images enough to stop their making in the middle."""
    project = copy_project(folder, stand_ins)

    def enlarge(config: dict) -> None:
        config["execution"]["device"] = "auto"
        for generator in config["generators"].values():
            generator.update(images_per_guide=8, inference_steps=50)

    project.configure(enlarge)
    return project

"""Fixtures and settings of several test modules."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hub import Hub, hub_of, serve

# `datasets` reports each opened dataset to its hub; tests use no network.
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")

# No deadlines, because the machine may be busy; every run tries the same examples.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random-weight models in the shipped formats: stable_diffusion, llama.gguf, dinov2, resnet."""
    from demo.training.stand_ins import write_stand_ins

    folder = tmp_path_factory.mktemp("stand_ins")
    write_stand_ins(folder)
    return folder


@pytest.fixture
def hub(stand_ins: Path) -> Iterator[Hub]:
    """A server on loopback with the stand-ins as repositories of a hub."""
    with serve(hub_of(stand_ins)) as served:
        yield served

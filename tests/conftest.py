"""What tests of several modules share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random-weight models in the shipped formats: stable_diffusion, llama.gguf, dinov2, resnet."""
    from demo.stand_ins import write_stand_ins

    folder = tmp_path_factory.mktemp("stand_ins")
    write_stand_ins(folder)
    return folder

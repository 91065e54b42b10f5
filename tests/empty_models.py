"""Models of which nothing is there but the names by which a configuration takes them for models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = {"diffusion": "unet/config.json", "llama": "", "features": "hubconf.py", "backbone": "config.json"}


def write_empty_models(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> None:
    """Write an empty file of each model of the section `models` that has a local path, which starts from `folder`."""
    for name, model in models.items():
        if "path" in model:
            file = folder / model["path"] / PARTS[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

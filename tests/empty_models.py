"""Empty models: only the files whose existence the configuration checks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = {"diffusion": "unet/config.json", "llama": "", "features": "hubconf.py", "backbone": "config.json"}


def write_empty_models(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> None:
    """Write an empty file for each model of the section `models` with a local path, relative to `folder`."""
    for name, model in models.items():
        if "path" in model:
            file = folder / model["path"] / PARTS[name]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

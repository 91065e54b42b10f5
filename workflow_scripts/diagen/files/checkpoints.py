"""Checkpoints: the state of long work between two steps, from which an interrupted run continues."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from diagen.errors import InputError, rm, summary
from diagen.files.atomic import atomic_path


def save_state(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write a state atomically: tensors, and values that JSON can represent."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(values)
    metadata = {"state": json.dumps({"values": text, "sha256": _digest(tensors, text)})}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read a state: tensors on the CPU, and values. Returns `None` if it is missing or, with a warning, damaged.

    Raises `InputError` if it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
        if state["sha256"] != _digest(tensors, state["values"]):
            raise ValueError("the content does not match its hash")
        return tensors, json.loads(state["values"])
    except FileNotFoundError:
        return None
    except OSError as error:  # safetensors leaves out the file's name
        raise InputError(
            f"{path}: cannot be read ({summary(error)}). Make it readable, or delete it and run Snakemake again: "
            f"{rm(path, recursive=path.is_dir())}"
        ) from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        print(
            f"warning: {path}: damaged checkpoint ({error}). Starting from the beginning", file=sys.stderr, flush=True
        )
        return None


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """Compute the SHA-256 of names, types, shapes and values of the tensors, and of `text`."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state tensors that an optimizer of the Adam family keeps for each of its parameters, by name."""
    states = optimizer.state_dict()["state"]
    return {f"optimizer.{number}.{name}": value for number, kept in states.items() for name, value in kept.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state that `optimizer_tensors` returned, which is among `tensors`, into an optimizer."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            states.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})

"""The state of long work, kept in a file between two of its steps, from which an interrupted run goes on."""

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

from diagen.files.atomic import atomic_path


def save_state(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write the state, whole or not at all: tensors, and what JSON can hold."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(values)
    metadata = {"state": json.dumps({"values": text, "sha256": _digest(tensors, text)})}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read a state: tensors on the CPU, and values. `None` where there is none, or, with a warning, a damaged one."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
        if told["sha256"] != _digest(tensors, told["values"]):
            raise ValueError("its content isn't what was written")
        return tensors, json.loads(told["values"])
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        print(f"warning: the checkpoint {path} is damaged ({error}): starting anew", file=sys.stderr, flush=True)
        return None


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer of the Adam family remembers of each of its parameters."""
    states = optimizer.state_dict()["state"]
    return {f"optimizer.{number}.{name}": value for number, kept in states.items() for name, value in kept.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Have an optimizer of the same parameters remember what `optimizer_tensors` gave, which is among `tensors`."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            states.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})

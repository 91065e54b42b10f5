"""A training loop that can be stopped at any time and continues from its last checkpoint."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

BUILD = Path(__file__).resolve().parents[1] / "build"
CHECKPOINT_SECONDS = 60.0
PROGRESS_SECONDS = 30.0
EMA_DECAY = 0.998


def training_arguments(description: str | None) -> argparse.Namespace:
    """Parses the command line of a training program; sets torch's threads and resolves the device."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--device", default="auto", help="torch device; auto uses a GPU if there is one (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="torch threads; the number changes rounding (default: %(default)s)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.device == "auto":
        arguments.device = "cuda" if torch.cuda.is_available() else "cpu"
    return arguments


def learning_rate_factor(step: int, steps: int, warmup: float = 0.1) -> float:
    """Learning rate factor: rises linearly over the share `warmup` of the steps, then falls as a cosine to 0.01."""
    progress = (step + 1) / steps
    if progress < warmup:
        return progress / warmup
    return 0.01 + 0.99 * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * (progress - warmup) / (1 - warmup)))))


def train(
    name: str,
    model: nn.Module,
    loss_of_step: Callable[[int], Tensor],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """Trains `model` in place with AdamW, then replaces its weights with their moving average.

    `loss_of_step(step)` must depend only on the step and the weights, so that a resumed run sees the same batches.
    Checkpoints are written to `demo/build/<name>.safetensors`: weights, averages, optimizer state and step.
    """
    path = BUILD / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
    average = {key: tensor.detach().clone() for key, tensor in model.state_dict().items()}
    first = load_checkpoint(path, model, optimizer, average) if path.exists() else 0
    saved = shown = begun = time.monotonic()
    model.train()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * learning_rate_factor(step, steps)
        loss = loss_of_step(step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        update_average(average, model, min(EMA_DECAY, (step + 1) / (step + 10)))
        now = time.monotonic()
        if now - shown > PROGRESS_SECONDS or step + 1 == steps:
            rate = (step + 1 - first) / (now - begun)
            left = (steps - step - 1) / rate / 60
            print(
                f"{name}: step {step + 1}/{steps}, loss {loss.item():.4f}, {rate:.2f}/s, {left:.1f} min left",
                flush=True,
            )
            shown = now
        if now - saved > CHECKPOINT_SECONDS or step + 1 == steps:
            save_checkpoint(path, model, optimizer, average, step + 1)
            saved = now
    model.load_state_dict(average)
    model.eval()


@torch.no_grad()
def update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Updates the moving averages of weights and BatchNorm statistics; counters are copied."""
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            average[key].lerp_(tensor, 1 - decay)
        else:
            average[key].copy_(tensor)


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor], step: int
) -> None:
    """Writes the complete state of the training atomically."""
    state = {f"model.{key}": tensor for key, tensor in model.state_dict().items()}
    state |= {f"average.{key}": tensor for key, tensor in average.items()}
    for number, values in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{number}.{key}": tensor for key, tensor in values.items()}
    partial = path.with_suffix(".partial")
    # Tied weights share memory, which safetensors refuses, so each tensor is stored as a copy.
    save_file({key: tensor.cpu().clone().contiguous() for key, tensor in state.items()}, partial, {"step": str(step)})
    partial.replace(path)


def load_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor]) -> int:
    """Restores the state that `save_checkpoint` wrote; returns the number of completed steps."""
    with safe_open(path, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}
        step = int(file.metadata()["step"])
    model.load_state_dict({key[6:]: tensor for key, tensor in state.items() if key.startswith("model.")})
    for key, tensor in average.items():
        tensor.copy_(state[f"average.{key}"])
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            moments.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return step


def metrics_path(name: str) -> Path:
    """The file of a training program's metrics; it exists once the program is complete."""
    return BUILD / "metrics" / f"{name}.json"


def write_metrics(name: str, metrics: dict[str, object]) -> None:
    """Writes and prints a program's metrics, as its last step."""
    path = metrics_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    print(f"{name}: {json.dumps(metrics)}", flush=True)

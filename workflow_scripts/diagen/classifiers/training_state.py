"""What changes while a linear layer is trained, from epoch to epoch, and the checkpoint that it is kept in."""

from dataclasses import astuple, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from diagen.classifiers import batch_norm
from diagen.classifiers.heads import Head
from diagen.classifiers.history_file import Epoch
from diagen.files.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state


@dataclass
class TrainingState:
    """The layer that is trained, its optimizer, the generators by name, and the epochs so far with the best of them.

    `moving` is the backbone, if the statistics of its BatchNorm move in training. The smallest `best_key` is the best.
    """

    head: Head
    optimizer: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    moving: nn.Module | None
    history: list[Epoch] = field(default_factory=list)
    best: Head | None = None
    best_epoch: int = 0
    best_key: tuple[float, float] = (float("inf"), float("inf"))

    def head_now(self) -> Head:
        """A copy of the layer as it is now, with the backbone's statistics if these move."""
        statistics = batch_norm.running_statistics(self.moving) if self.moving is not None else {}
        return Head(self.head.weight.detach().clone(), self.head.bias.detach().clone(), self.head.classes, statistics)

    def save(self, path: Path) -> None:
        """Keep the state of a training of one epoch or more in the file `path`."""
        save_state(
            path,
            {
                **_tensors("now", self.head_now()),
                **_tensors("best", self.best),
                **optimizer_tensors(self.optimizer),
                **{f"generator.{name}": generator.get_state() for name, generator in self.generators.items()},
            },
            {
                "history": [astuple(epoch) for epoch in self.history],
                "best_epoch": self.best_epoch,
                "best_key": self.best_key,
            },
        )

    def restore(self, path: Path) -> None:
        """Take up the state that the file `path` holds; without one, or with a damaged one, nothing changes."""
        found = load_state(path)
        if found is None:
            return
        tensors, values = found
        now, self.best = (_head(name, tensors, self.head.classes) for name in ("now", "best"))
        with torch.no_grad():
            self.head.weight.copy_(now.weight)
            self.head.bias.copy_(now.bias)
        if self.moving is not None:
            batch_norm.load_statistics(self.moving, now.statistics)
        restore_optimizer(self.optimizer, tensors)
        for name, generator in self.generators.items():
            generator.set_state(tensors[f"generator.{name}"])
        self.history = [Epoch(*row) for row in values["history"]]
        self.best_epoch, self.best_key = values["best_epoch"], tuple(values["best_key"])


def _tensors(prefix: str, head: Head) -> dict[str, Tensor]:
    named = {"weight": head.weight, "bias": head.bias, **head.statistics}
    return {f"{prefix}/{name}": tensor for name, tensor in named.items()}


def _head(prefix: str, tensors: dict[str, Tensor], classes: tuple[str, ...]) -> Head:
    named = {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
    return Head(named.pop("weight"), named.pop("bias"), classes, named)

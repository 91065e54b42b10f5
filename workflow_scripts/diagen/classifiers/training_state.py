"""The state of a training between two epochs, and its checkpoint."""

from dataclasses import astuple, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from diagen.classifiers import batch_norm
from diagen.classifiers.heads import Head
from diagen.classifiers.trained_file import Epoch
from diagen.files.checkpoints import load_state, optimizer_tensors, restore_optimizer, save_state


@dataclass
class TrainingState:
    """The layer in training, its optimizer, random generators by name, the history, and the best epoch so far.

    `batch_norm_model` is the backbone if training updates its BatchNorm statistics, else `None`. `best` is the layer of
    the epoch with the smallest `best_key`; before the first epoch it is the untrained layer.
    """

    head: Head
    optimizer: torch.optim.Optimizer
    generators: dict[str, torch.Generator]
    batch_norm_model: nn.Module | None
    best: Head
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_key: tuple[float, float] = (float("inf"), float("inf"))

    def head_now(self) -> Head:
        """A copy of the current layer, with the backbone's statistics if training updates them."""
        model = self.batch_norm_model
        statistics = batch_norm.running_statistics(model) if model is not None else {}
        return Head(self.head.weight.detach().clone(), self.head.bias.detach().clone(), self.head.classes, statistics)

    def save(self, path: Path) -> None:
        """Write the state to the file `path`, after at least one epoch."""
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
        """Restore the state from the file `path`; a missing or damaged file changes nothing."""
        found = load_state(path)
        if found is None:
            return
        tensors, values = found
        now, self.best = (_head(name, tensors, self.head.classes) for name in ("now", "best"))
        with torch.no_grad():
            self.head.weight.copy_(now.weight)
            self.head.bias.copy_(now.bias)
        if self.batch_norm_model is not None:
            batch_norm.load_statistics(self.batch_norm_model, now.statistics, path)
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

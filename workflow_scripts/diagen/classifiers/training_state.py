"""The state of a training between two epochs, and its checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from diagen.classifiers import batch_norm
from diagen.classifiers.heads import Head
from diagen.classifiers.trained_file import Epoch
from diagen.files.checkpoints import load_state, save_state


class Adam:
    """torch's Adam for CPU parameters, with weight decay in the loss (`l2`) or decoupled from it (AdamW).

    The steps are those of torch's classes, to the bit. At their first step these import torch's compiler, which takes a
    second in each job.
    """

    def __init__(
        self, parameters: Sequence[Tensor], learning_rate: float, weight_decay: float, *, decoupled: bool
    ) -> None:
        """Start without moments."""
        self.parameters = list(parameters)
        self.learning_rate, self.weight_decay, self.decoupled = learning_rate, weight_decay, decoupled
        self.state = {
            "exp_avg": [torch.zeros_like(parameter, requires_grad=False) for parameter in parameters],
            "exp_avg_sq": [torch.zeros_like(parameter, requires_grad=False) for parameter in parameters],
            "step": [torch.tensor(0.0) for _ in parameters],
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters by their gradients."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        adam(
            self.parameters,
            gradients,
            self.state["exp_avg"],
            self.state["exp_avg_sq"],
            [],
            self.state["step"],
            foreach=False,
            decoupled_weight_decay=self.decoupled,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name."""
        numbered = {name: enumerate(values) for name, values in self.state.items()}
        return {f"optimizer.{number}.{name}": value for name, values in numbered.items() for number, value in values}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `tensors` returned and that is among `tensors`."""
        for name, values in self.state.items():
            for number, value in enumerate(values):
                value.copy_(tensors[f"optimizer.{number}.{name}"])


@dataclass
class TrainingState:
    """The layer in training, its optimizer, random generators by name, the history, and the best epoch so far.

    `batch_norm_model` is the backbone if training updates its BatchNorm statistics, else `None`. `best` is the layer of
    the epoch with the smallest `best_key`; before the first epoch it is the untrained layer.
    """

    head: Head
    optimizer: Adam
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
                **self.optimizer.tensors(),
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
        self.optimizer.restore(tensors)
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

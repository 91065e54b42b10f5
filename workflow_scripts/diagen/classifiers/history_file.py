"""The table `history.csv`: the epochs of a training."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from diagen.files.tables import write_rows


@dataclass(frozen=True)
class Epoch:
    """A row of the history: losses in nats, accuracy in [0, 1]; validation values are means of the classes' means."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float


def write_history(history: Sequence[Epoch], path: Path) -> None:
    """Write the epochs as CSV."""
    write_rows([field.name for field in fields(Epoch)], map(astuple, history), path)

"""How the linear layer of a classifier is trained (sections 3.4 and 4)."""

from dataclasses import dataclass
from typing import Literal

from diagen.config.choices import Augmentation, BatchNormMode, Decay, EpochChoice, Validation


@dataclass(frozen=True)
class Recipe:
    """How a linear layer is trained; what has a default is as in the paper, its alternative as in the published code.

    `weight_decay` is the L2 of Adam, or `decoupled` from the gradient. `best` says which epoch is the best one: that of
    the highest validation accuracy (the lower loss decides ties) or of the lowest validation loss; the earlier one if
    all is equal. `kept_epoch` may be the last instead. `patience` is the number of epochs without a better one after
    which training stops; `None` never stops early. `batch_norm`: `frozen`, or `training` as in `diagen.batch_norm`.
    `validation` takes each image once, or class-balanced draws, as many as an epoch has, anew for each epoch.
    """

    epochs: int
    iterations: int
    batch: int
    learning_rate: float
    weight_decay: float
    augmentation: Augmentation
    image_size: int
    best: Literal["accuracy", "loss"]
    patience: int | None = None
    decay: Decay = "l2"
    batch_norm: BatchNormMode = "frozen"
    kept_epoch: EpochChoice = "best"
    validation: Validation = "whole"

    @property
    def draws(self) -> int:
        """Images per epoch."""
        return self.iterations * self.batch

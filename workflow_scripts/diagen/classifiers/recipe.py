"""The training recipe of a classifier's linear layer (sections 3.4 and 4)."""

from dataclasses import dataclass
from typing import Literal

from diagen.config.choices import Augmentation, BatchNormMode, Decay, Selection, Validation


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of a linear layer; defaults are the paper's, their alternatives those of the published code.

    `decay`: `weight_decay` is the L2 penalty of Adam (`l2`) or decoupled from the gradient (`decoupled`). `best`: the
    best epoch has the highest validation accuracy (ties: the lower loss) or the lowest validation loss; the earliest
    of equal ones. `selection`: keep the best epoch, or the last, which needs no validation. `patience`: stop after this
    many epochs without a better one; `None` never stops early. `batch_norm`: `frozen`, or `training` as in
    `diagen.classifiers.batch_norm`. `validation`: each image once (`whole`), or new class-balanced draws for each
    epoch, as many as it has training draws (`resampled`). `cached_views`: each draw is one of this many views of its
    image, whose features are computed once; `None`: each draw is a new view.
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
    selection: Selection = "best"
    validation: Validation = "whole"
    cached_views: int | None = None

    @property
    def draws(self) -> int:
        """Images per epoch."""
        return self.iterations * self.batch

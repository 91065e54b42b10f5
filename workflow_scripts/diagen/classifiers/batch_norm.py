"""BatchNorm in training mode in an otherwise frozen backbone, as in the code published with the paper.

Each training batch is normalized by its own mean and variance, which also update the running statistics; evaluation
uses the running statistics. The features of an image therefore change from epoch to epoch, and a linear layer is only
valid together with the statistics of its epoch.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from diagen.errors import InputError, delete_and_rerun


def layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """The BatchNorm layers by name. Raises `InputError` when the model has none."""
    found = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    if not found:
        raise InputError(
            "`batch_norm: training`: the backbone has no BatchNorm layers. Set `batch_norm: frozen`, or set "
            "`models.backbone` to a ResNet"
        )
    return found


@contextmanager
def training_mode(model: nn.Module) -> Iterator[None]:
    """Inside, BatchNorm normalizes by the statistics of each batch and moves the running ones a tenth towards them."""
    for layer in layers(model).values():
        layer.train()
    try:
        yield
    finally:
        for layer in layers(model).values():
            layer.eval()


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the running means and variances, float32, under their names in `model.state_dict()`."""
    return {name: values.detach().clone().cpu() for name, values in _buffers(model).items()}


def load_statistics(model: nn.Module, statistics: Mapping[str, Tensor], file: Path) -> None:
    """Copy running statistics that were read from `file` into the model, in place.

    Raises `InputError` when they belong to another model.
    """
    own = _buffers(model)
    if {name: one.shape for name, one in own.items()} != {name: one.shape for name, one in statistics.items()}:
        raise InputError(f"{file}: the BatchNorm statistics are those of another backbone. {delete_and_rerun(file)}")
    set_statistics(model, statistics)


def set_statistics(model: nn.Module, statistics: Mapping[str, Tensor]) -> None:
    """Copy running statistics of this model, from `running_statistics`, back into it, in place."""
    own = _buffers(model)
    for name, values in statistics.items():
        own[name].copy_(values)


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": getattr(layer, key)
        for name, layer in layers(model).items()
        for key in ("running_mean", "running_var")
    }

"""BatchNorm in training mode, as in the code published with the paper, in a backbone that is otherwise frozen.

There each training batch is normalized by its own mean and variance, which also go into the running statistics; with
those it is tested. So the features of an image change from epoch to epoch, and a layer is of use only with the
statistics that belong to it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from diagen.errors import InputError


def layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """The BatchNorm layers by name. Raises `InputError` when there are none."""
    found = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    if not found:
        raise InputError("`batch_norm: training`: the backbone has no BatchNorm; leave it out or take a ResNet")
    return found


@contextmanager
def training_mode(model: nn.Module) -> Iterator[None]:
    """Inside, BatchNorm takes the statistics of each batch and moves the running ones towards them, by a tenth."""
    for layer in layers(model).values():
        layer.train()
    try:
        yield
    finally:
        for layer in layers(model).values():
            layer.eval()


def running_statistics(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the running means and variances, float32, by the names that `model.state_dict()` gives them."""
    return {
        f"{name}.{key}": getattr(layer, key).detach().clone().cpu()
        for name, layer in layers(model).items()
        for key in ("running_mean", "running_var")
    }


def load_statistics(model: nn.Module, statistics: Mapping[str, Tensor]) -> None:
    """Put running statistics into the model, in place. Raises `InputError` when they are of another model."""
    own = {
        f"{name}.{key}": getattr(layer, key)
        for name, layer in layers(model).items()
        for key in ("running_mean", "running_var")
    }
    if {name: one.shape for name, one in own.items()} != {name: one.shape for name, one in statistics.items()}:
        raise InputError("the layer's BatchNorm statistics are of another backbone: train the guide classifier again")
    for name, values in statistics.items():
        own[name].copy_(values)

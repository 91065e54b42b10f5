"""Image classifiers without their last layer."""

import inspect

from torch import Tensor, nn


class Backbone(nn.Module):
    """A network that maps images `[B, 3, H, W]`, normalized as it expects them, to features `[B, D]`."""


class ClassifierBody(Backbone):
    """An image classifier of transformers without its last linear layer; the output is the input of that layer."""

    def __init__(self, classifier: nn.Module) -> None:
        """Remove the last linear layer of `classifier`. Raises `ValueError` unless one such layer follows its body."""
        super().__init__()
        heads = heads_of(classifier)
        if len(heads) != 1:
            raise ValueError(f"{len(heads)} linear layers after its body ({', '.join(heads)}) instead of one")
        classifier.set_submodule(heads[0], nn.Identity())
        self.body = classifier
        # With this option, vision transformers accept image sizes that differ from those of their training.
        takes_any_size = "interpolate_pos_encoding" in inspect.signature(classifier.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if takes_any_size else {}

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features."""
        return self.body(images, **self.options).logits


def heads_of(classifier: nn.Module) -> list[str]:
    """Return the names of the linear layers after the body of a classifier of transformers."""
    bodies = bodies_of(classifier)
    return [
        name
        for name, module in classifier.named_modules()
        if isinstance(module, nn.Linear) and not name.startswith(bodies)
    ]


def bodies_of(classifier: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of names inside the body of a classifier: that of its family, and its inner models.

    The body of CLIP's and SigLIP's classifiers is an inner model, `vision_model`; their family is `clip` or `siglip`.
    """
    models = [name for name, child in classifier.named_children() if hasattr(child, "base_model_prefix")]
    return tuple(f"{name}." for name in (classifier.base_model_prefix, *models))

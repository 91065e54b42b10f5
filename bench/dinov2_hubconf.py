"""DINOv2 as a torch.hub repository on disk: the interface of facebookresearch/dinov2, the network of transformers.

``torch.hub.load(folder, "dinov2_vitl14", source="local")`` returns a module whose ``forward`` maps images
``[B, 3, H, W]`` (normalized with ImageNet's mean and standard deviation) to the last norm's class token ``[B, D]``.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import Dinov2Model

dependencies = ["torch", "transformers"]


class DinoVisionTransformer(nn.Module):
    """The network with the configuration and weights in ``folder``."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.body = Dinov2Model.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``[B, D]``: the class token after the last norm."""
        return self.body(pixel_values=images).last_hidden_state[:, 0]


def dinov2_vitl14() -> DinoVisionTransformer:
    """Load the model beside this file, in evaluation mode."""
    return DinoVisionTransformer(Path(__file__).resolve().parent).eval()

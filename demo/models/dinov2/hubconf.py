"""A small DINOv2: a vision transformer whose features distinguish the drawn world's classes, places and colors.

A torch.hub repository on disk, with the interface of facebookresearch/dinov2 (Oquab et al. 2023):
`torch.hub.load(folder, "dinov2_demo", source="local")` gives a module whose `forward` maps images
`[B, 3, H, W]` (normalized with ImageNet's mean and standard deviation) to the last norm's class token `[B, D]`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

dependencies = ["torch", "safetensors"]
PATCH_SIZE = 8


class Attention(nn.Module):
    """Multi-head self-attention on tokens `[B, N, D]`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        query, key, value = self.qkv(tokens).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Block(nn.Module):
    """A pre-norm transformer block with an MLP of four times the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class DinoVisionTransformer(nn.Module):
    """A vision transformer; names and outputs are those of the original's class of the same name.

    `image_size` is the side in pixels that the positional embeddings were learned for; other sides that are
    multiples of `PATCH_SIZE` are served by bicubic interpolation of the embeddings. Patches are embedded by three
    convolutions of stride 2, which learn from fewer images than one of stride 8 (Xiao et al. 2021).
    """

    def __init__(self, image_size: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch_size, self.embed_dim, self.grid = PATCH_SIZE, width, image_size // PATCH_SIZE
        self.patch_embed = nn.Sequential(
            nn.Conv2d(3, width // 4, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 4, width // 2, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.grid**2, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Identity()

    def positions(self, rows: int, columns: int) -> Tensor:
        """Positional embeddings `[1, 1 + rows * columns, D]` of the class token and of the patches."""
        if (rows, columns) == (self.grid, self.grid):
            return self.pos_embed
        patches = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid))
        patches = functional.interpolate(patches, (rows, columns), mode="bicubic", align_corners=False)
        return torch.cat([self.pos_embed[:, :1], patches.flatten(2).transpose(1, 2)], dim=1)

    def forward_features(self, images: Tensor) -> dict[str, Tensor]:
        """The normalized class token `[B, D]` and patch tokens `[B, N, D]`, keyed as in the original."""
        if images.shape[-1] % self.patch_size or images.shape[-2] % self.patch_size:
            raise ValueError(f"image sides {tuple(images.shape[-2:])} must be multiples of {self.patch_size} pixels")
        patches = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self.positions(*patches.shape[-2:])
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return {"x_norm_clstoken": tokens[:, 0], "x_norm_patchtokens": tokens[:, 1:]}

    def forward(self, images: Tensor) -> Tensor:
        """Features `[B, D]` of ImageNet-normalized images `[B, 3, H, W]`."""
        return self.head(self.forward_features(images)["x_norm_clstoken"])


def dinov2_demo(*, pretrained: bool = True) -> DinoVisionTransformer:
    """The model that `dinov2_demo.json` describes, in evaluation mode; with its weights if `pretrained`."""
    folder = Path(__file__).resolve().parent
    model = DinoVisionTransformer(**json.loads((folder / "dinov2_demo.json").read_text("utf-8")))
    if pretrained:
        weights = load_file(folder / "dinov2_demo.safetensors")
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model.eval()

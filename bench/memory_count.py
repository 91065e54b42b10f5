"""Count the memory of full-size models without computing: fake tensors have shapes and types, but no content.

What is counted are the bytes of tensors. A GPU adds its context (`CONTEXT_GB`), gaps between tensors and workspaces of
convolutions.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import CLIPTextModel

from bench import architectures
from bench.gpu_parts import recomputed_activations
from diagen.runtime.memory_plan import vae_batch

SCALE = 8  # pixels of an image by pixels of its latents


@dataclass(frozen=True)
class Architecture:
    """Constructors of the parts of a Stable Diffusion, the edge of its latents, and the length of its texts."""

    unet: Callable[[], UNet2DConditionModel]
    vae: Callable[[], AutoencoderKL]
    text_encoder: Callable[[], CLIPTextModel]
    latent_size: int
    text_length: int


FULL_SIZE = Architecture(
    architectures.new_unet,
    architectures.new_autoencoder,
    architectures.new_text_encoder,
    latent_size=64,
    text_length=architectures.TEXT_LENGTH,
)
"""Stable Diffusion v1-4 at 512 pixels."""


@dataclass(frozen=True)
class Counted:
    """GB of the weights, of what a pass saves for its backward pass, of its largest tensor, and the peak of all."""

    weights: float
    saved: float
    largest: float
    peak: float


class LiveBytes(TorchDispatchMode):
    """Count the bytes of the tensors that exist, and their peak, inside the block; `known` ones count nothing."""

    def __init__(self, known: Sequence[Tensor]) -> None:
        """Start with the tensors that exist already."""
        super().__init__()
        self.live = self.peak = self.largest = 0
        self._storages = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note the storages of its results until they are freed."""
        results = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return results

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._storages:
            self._storages[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.peak, self.largest = max(self.peak, self.live), max(self.largest, storage.nbytes())
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self._storages.pop(key)


@contextmanager
def saved_bytes(known: Sequence[Tensor]) -> Iterator[dict[int, int]]:
    """Collect the bytes by storage of what operations in the block save for the backward pass, except `known`."""
    ignored = {tensor.untyped_storage()._cdata for tensor in known}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in ignored:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield saved


def count_learning(rows: int, dtype: str, recompute: bool, architecture: Architecture = FULL_SIZE) -> Counted:
    """Count a pass of `rows` rows that learns words, forward and backward, in `float32` or `bfloat16`."""
    with FakeTensorMode():
        unet, text_encoder = (
            new().eval().requires_grad_(False) for new in (architecture.unet, architecture.text_encoder)
        )
        if dtype == "bfloat16":
            _norms_as_on_cuda(unet, text_encoder)
        weights = [*unet.parameters(), *text_encoder.parameters()]
        size, length = architecture.latent_size, architecture.text_length
        words = torch.zeros(rows, length, unet.config.cross_attention_dim, requires_grad=True)
        text_encoder.get_input_embeddings().register_forward_hook(lambda *_: words)
        latents, timesteps = torch.zeros(rows, 4, size, size), torch.zeros(rows, dtype=torch.long)
        ids = torch.zeros(rows, length, dtype=torch.long)
        with LiveBytes(weights) as counter, recomputed_activations(unet, recompute):
            with (
                saved_bytes(weights) as saved,
                torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
            ):
                states = text_encoder(ids).last_hidden_state
                predicted = unet(latents, timesteps, encoder_hidden_states=states).sample
            predicted.float().square().mean(dim=(1, 2, 3)).sum().backward()
        # The autoencoder stays on the device for the next group of words.
        total = bytes_of(weights) + bytes_of(list(architecture.vae().parameters()))
    return _counted(total, sum(saved.values()), counter)


def count_generation(micro_batch: int, dtype: str, architecture: Architecture = FULL_SIZE) -> Counted:
    """Count an evaluation of the UNet with guidance for `micro_batch` images, and their decoding, in `dtype`."""
    with FakeTensorMode(), torch.no_grad(), _default_dtype(getattr(torch, dtype)):
        unet, vae, text_encoder = (
            new().eval() for new in (architecture.unet, architecture.vae, architecture.text_encoder)
        )
        weights = [weight for part in (unet, vae, text_encoder) for weight in part.parameters()]
        size, length = architecture.latent_size, architecture.text_length
        latents = torch.zeros(2 * micro_batch, 4, size, size)
        states = torch.zeros(2 * micro_batch, length, unet.config.cross_attention_dim)
        with LiveBytes(weights) as counter:
            unet(latents, torch.zeros((), dtype=torch.long), encoder_hidden_states=states)
            vae.decode(latents[: vae_batch(micro_batch, SCALE * size)])
        total = bytes_of(weights)
    return _counted(total, 0, counter)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Create models and tensors in `dtype` inside the block: fake weights cannot be converted."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _norms_as_on_cuda(*parts: nn.Module) -> None:
    """Let norms compute in float32: autocast does this on CUDA, but not on the CPU, for which tensors are counted."""
    for part in parts:
        for module in part.modules():
            if isinstance(module, nn.GroupNorm | nn.LayerNorm):
                module.register_forward_pre_hook(lambda _, inputs: (inputs[0].float(),))


def bytes_of(tensors: Sequence[Tensor]) -> int:
    """Return the bytes of `tensors`."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _counted(weights: int, saved: int, counter: LiveBytes) -> Counted:
    return Counted(*(value / 1e9 for value in (weights, saved, counter.largest, weights + counter.peak)))

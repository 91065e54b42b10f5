"""The frozen ResNet: the features of that of transformers, from every format that is loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from diagen.config.models import BackboneModel
from diagen.models.backbones import load_backbone
from diagen.models.frozen_resnet import FrozenResNet, frozen_resnet
from diagen.models.pretrained import read_torchvision_resnet
from tests.unit.models.test_pretrained import network

CPU = torch.device("cpu")
EVERY_LAYER = ("basic", "bottleneck")


def trained_like(config: ResNetConfig, seed: int) -> ResNetForImageClassification:
    """A ResNet in evaluation mode whose BatchNorm layers have statistics and weights as after a training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ResNetForImageClassification(config).eval()
        for layer in batch_norms(model):
            layer.running_mean.normal_(0, 0.5)
            layer.running_var.uniform_(0.05, 4)
            nn.init.normal_(layer.weight, 1, 0.5)
            nn.init.normal_(layer.bias, 0, 0.5)
    return model


def batch_norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]


@torch.no_grad()
def features(model: nn.Module, pixels: Tensor) -> Tensor:
    """The input of the head, as a hook sees it."""
    seen: list[Tensor] = []
    with model.classifier.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0])):
        model(pixels)
    return seen[0].flatten(1).clone()


@given(
    seed=st.integers(0, 2**31 - 1),
    layer=st.sampled_from(EVERY_LAYER),
    early=st.booleans(),
    in_bottleneck=st.booleans(),
    depths=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    size=st.integers(17, 48),
)
@settings(max_examples=40)
def test_features_differ_by_rounding_only(
    seed: int, layer: str, early: bool, in_bottleneck: bool, depths: list[int], size: int
) -> None:
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 24, 32][: len(depths)], depths=depths, layer_type=layer, num_labels=3,
        downsample_in_first_stage=early, downsample_in_bottleneck=in_bottleneck,
    )  # fmt: skip
    model = trained_like(config, seed)
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(seed))
    before = pixels.clone()
    expected = features(model, pixels)
    exact = features(model.double(), pixels.double())
    frozen = frozen_resnet(config.to_dict(), model.float().state_dict())
    assert frozen is not None and not batch_norms(frozen)
    with torch.no_grad():
        found = frozen(pixels)
    assert torch.equal(pixels, before), "ReLU in place does not reach the input"
    largest = exact.abs().max().item()
    assert (found - exact).abs().max() <= 1e-5 * largest
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("form", ["folder", "file"])
def test_loaded_resnets_are_folded_unless_training_updates_their_statistics(
    tmp_path: Path, bottleneck: bool, form: str
) -> None:
    net, path = network(8, (2, 1, 3, 1), bottleneck), tmp_path / "resnet.safetensors"
    save_file(net.state_dict(), path)
    if form == "folder":
        read_torchvision_resnet(path).save_pretrained(tmp_path / "resnet")
        path = tmp_path / "resnet"
    pixels = torch.randn(3, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    expected = net.features(pixels)
    source = BackboneModel(path=str(path))
    folded, unfolded = load_backbone(source, CPU), load_backbone(source, CPU, batch_norm="training")
    assert not batch_norms(folded) and len(batch_norms(unfolded)) == len(batch_norms(net))
    for backbone in (folded, unfolded):
        assert not any(parameter.requires_grad for parameter in backbone.parameters())
        torch.testing.assert_close(backbone(pixels), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def small() -> ResNetForImageClassification:
    return trained_like(ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], layer_type="basic"), 5)


def without_a_bias(model: ResNetForImageClassification) -> tuple[dict, dict]:
    tensors = model.state_dict()
    del tensors["resnet.encoder.stages.1.layers.1.layer.0.normalization.bias"]
    return model.config.to_dict(), tensors


def with_a_tensor_more(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return model.config.to_dict(), {**model.state_dict(), "resnet.encoder.extra.weight": torch.zeros(1)}


def with_a_wider_convolution(model: ResNetForImageClassification) -> tuple[dict, dict]:
    name = "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight"
    return model.config.to_dict(), {**model.state_dict(), name: torch.zeros(16, 9, 3, 3)}


def with_another_activation(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return {**model.config.to_dict(), "hidden_act": "gelu"}, model.state_dict()


def without_depths(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return {**model.config.to_dict(), "depths": None}, model.state_dict()


def of_another_family(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return {**model.config.to_dict(), "model_type": "regnet"}, model.state_dict()


def with_an_unknown_layer(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return {**model.config.to_dict(), "layer_type": "Basic"}, model.state_dict()


def with_a_text_as_a_flag(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return {**model.config.to_dict(), "downsample_in_first_stage": "false"}, model.state_dict()


def with_a_head_in_its_body(model: ResNetForImageClassification) -> tuple[dict, dict]:
    return model.config.to_dict(), {**model.state_dict(), "resnet.classifier.weight": torch.zeros(1)}


@pytest.mark.parametrize("layer", EVERY_LAYER)
def test_flags_that_older_files_lack_are_false(layer: str) -> None:
    model = trained_like(ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 2], layer_type=layer), 5)
    pixels = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    older = {key: value for key, value in model.config.to_dict().items() if not key.startswith("downsample")}
    frozen = frozen_resnet(older, model.state_dict())
    assert frozen is not None
    expected = features(model, pixels)
    torch.testing.assert_close(frozen(pixels), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize(
    "change",
    [
        without_a_bias,
        with_a_tensor_more,
        with_a_wider_convolution,
        with_another_activation,
        without_depths,
        of_another_family,
        with_an_unknown_layer,
        with_a_text_as_a_flag,
        with_a_head_in_its_body,
    ],
)
def test_whatever_is_not_exactly_a_resnet_is_left_to_transformers(
    change: Callable[[ResNetForImageClassification], tuple[dict, dict]],
) -> None:
    model = small()
    assert isinstance(frozen_resnet(model.config.to_dict(), model.state_dict()), FrozenResNet)
    assert frozen_resnet(*change(model)) is None

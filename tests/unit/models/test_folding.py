"""BatchNorm folded into convolutions: the features of the unfolded network, from every format that is loaded."""

from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from diagen.config.models import BackboneModel
from diagen.models.backbones import Backbone, load_backbone
from diagen.models.folding import fold_batch_norm
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
    hidden_act=st.sampled_from(["relu", "gelu"]),
    depths=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    size=st.integers(17, 48),
)
@settings(max_examples=40)
def test_folded_features_differ_by_rounding_only(
    seed: int, layer: str, early: bool, in_bottleneck: bool, hidden_act: str, depths: list[int], size: int
) -> None:
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 24, 32][: len(depths)], depths=depths, layer_type=layer, num_labels=3,
        hidden_act=hidden_act, downsample_in_first_stage=early, downsample_in_bottleneck=in_bottleneck,
    )  # fmt: skip
    model = trained_like(config, seed)
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(seed))
    before = pixels.clone()
    expected = features(model, pixels)
    exact = features(model.double(), pixels.double())
    model.float()
    fold_batch_norm(model)
    assert not batch_norms(model)
    found = features(model, pixels)
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


@pytest.mark.parametrize("kind", ["Levit", "RegNet", "MobileNetV2"])
@torch.no_grad()
def test_other_models_are_unchanged(kind: str) -> None:
    """Their layers may read a tensor that a ReLU in place overwrites."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{kind}ForImageClassification")(getattr(transformers, f"{kind}Config")()).eval()
    backbone = Backbone(model)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    before, names = backbone(pixels), [type(layer) for layer in model.modules()]
    fold_batch_norm(model)
    assert [type(layer) for layer in model.modules()] == names
    assert torch.equal(backbone(pixels), before)

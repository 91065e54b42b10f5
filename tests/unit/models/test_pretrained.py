"""Weights in single files: torchvision's ResNet compared with a network written here, and files that run code."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.models.backbones import load_backbone
from diagen.models.pretrained import read_checkpoint, read_torchvision_resnet, transformers_name


class Block(nn.Module):
    """A residual block as in torchvision 0.x (`models/resnet.py`, version 1.5): the 3x3 convolution has the stride."""

    def __init__(self, wide_in: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        wide_out = width * 4 if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        widths = (wide_in, width, width, wide_out) if bottleneck else (wide_in, width, width)
        self.count = len(kernels)
        for number, (kernel, step) in enumerate(zip(kernels, strides, strict=True), start=1):
            channels = widths[number - 1], widths[number]
            setattr(self, f"conv{number}", nn.Conv2d(*channels, kernel, step, padding=kernel // 2, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(widths[number]))
        if stride != 1 or wide_in != wide_out:
            shortcut = nn.Conv2d(wide_in, wide_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(wide_out))
        self.wide_out = wide_out

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for number in range(1, self.count + 1):
            out = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(out))
            out = out if number == self.count else functional.relu(out)
        return functional.relu(out + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    """torchvision's ResNet: 7x7 stem, four stages, mean over places, a linear layer; same names in its state."""

    def __init__(self, width: int, depths: tuple[int, ...], bottleneck: bool, labels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage, depth in enumerate(depths):
            blocks = []
            for number in range(depth):
                stride = 2 if stage and not number else 1
                blocks.append(Block(channels, width * 2**stage, stride, bottleneck))
                channels = blocks[-1].wide_out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, labels)

    def features(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


def network(width: int, depths: tuple[int, ...], bottleneck: bool = True) -> ResNet:
    """A network with random weights and statistics, so that swapped ones are noticed."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = ResNet(width, depths, bottleneck, labels=10)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
    return net.eval()


def images(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("width", "depths", "bottleneck"),
    [(8, (2, 1, 3, 1), True), (8, (2, 2, 1, 2), False), (64, (3, 4, 6, 3), True)],
    ids=["small bottleneck", "small basic", "ResNet-50"],
)
@torch.no_grad()
def test_torchvision_s_network_computes_the_same(tmp_path: Path, width, depths, bottleneck, suffix) -> None:
    net = network(width, depths, bottleneck)
    path = tmp_path / f"resnet{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(net.state_dict(), path)
    pixels = images(65)  # odd, so that a stride at another place changes sizes
    torch.testing.assert_close(read_torchvision_resnet(path)(pixels).logits, net(pixels), rtol=1e-4, atol=1e-4)
    backbone = load_backbone(BackboneModel(path=str(path)), torch.device("cpu"))
    torch.testing.assert_close(backbone(pixels), net.features(pixels), rtol=1e-4, atol=1e-4)


def test_resnet_50_has_its_parameters_and_older_files_lack_the_counts(tmp_path: Path) -> None:
    state = {name: value for name, value in network(64, (3, 4, 6, 3)).state_dict().items() if "tracked" not in name}
    state |= {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "resnet50.pth")
    model = read_torchvision_resnet(tmp_path / "resnet50.pth")
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_557_032  # torchvision's documentation


def test_names() -> None:
    assert transformers_name("bn1.running_mean") == "resnet.embedder.embedder.normalization.running_mean"
    assert (
        transformers_name("layer2.0.downsample.1.bias")
        == "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias"
    )
    with pytest.raises(ValueError, match="unknown tensor"):
        transformers_name("blocks.0.weight")


class Malicious:
    """Content that a pickle can have: a call that happens when it is read."""

    def __reduce__(self) -> tuple:
        return os.mkdir, (os.environ["MADE_BY_A_PICKLE"],)


def test_no_code_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADE_BY_A_PICKLE", str(tmp_path / "made"))
    torch.save({"weight": torch.zeros(1), "more": Malicious()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"evil\.pth: not a file of weights only"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "made").exists()
    torch.load(tmp_path / "evil.pth", weights_only=False)
    assert (tmp_path / "made").exists(), "the file would have run its code"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.safetensors", b"{}", "damaged"),
        ("a.pth", b"", "damaged"),
        ("a.pth", b"<html>Not found</html>", "damaged"),
        ("b.pth", None, "no such file"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("layer1.0.conv2.weight"),
            r"missing or unexpected: .*layers\.0\.layer\.1\.convolution",
        ),
        (lambda state: state.update(blocks=torch.zeros(1)), "unknown tensor `blocks`"),
        (lambda state: state.update({"fc.weight": torch.zeros(3, 7)}), "size mismatch"),
        (lambda state: state.pop("fc.weight"), "fc.weight"),
    ],
    ids=["lacking", "unknown", "other shape", "no head"],
)
def test_files_that_are_no_such_resnet(tmp_path: Path, change, message: str) -> None:
    state = network(8, (1, 1, 1, 1)).state_dict()
    change(state)
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(
        InputError, match=rf"net\.safetensors: not a ResNet with torchvision's tensor names \(.*{message}"
    ):
        read_torchvision_resnet(tmp_path / "net.safetensors")


def test_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "epoch": 3}, tmp_path / "training.pth")
    with pytest.raises(InputError, match=r"training\.pth: contains more than named tensors\. Save only .*state_dict"):
        read_checkpoint(tmp_path / "training.pth")

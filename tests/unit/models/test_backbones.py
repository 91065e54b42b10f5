"""Frozen models from the supported formats, and features that do not depend on the other images."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageClassification,
    CLIPConfig,
    ConvNextConfig,
    DeiTConfig,
    Dinov2Config,
    LevitConfig,
    ResNetConfig,
    SiglipConfig,
    SwinConfig,
    Swinv2Config,
    ViTConfig,
)

from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError
from diagen.models.backbones import embed, load_backbone, load_feature_extractor

CPU = torch.device("cpu")


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_backbone_returns_the_input_of_the_classifier_s_head(stand_ins: Path) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)
    whole = AutoModelForImageClassification.from_pretrained(stand_ins / "resnet", dtype=torch.float32).eval()
    with torch.no_grad():
        features = backbone(images(3))
        assert features.dtype == torch.float32 and features.ndim == 2
        torch.testing.assert_close(whole.classifier(features), whole(images(3)).logits)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
CLASSIFIERS = {
    "ResNet": ResNetConfig(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], num_labels=5),
    "ViT": ViTConfig(**SMALL, image_size=32, patch_size=8, num_labels=5),
    "DeiT": DeiTConfig(**SMALL, image_size=32, patch_size=8, num_labels=5),
    "Swin": SwinConfig(patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4, num_labels=5),
    "ConvNext": ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=5),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("size", [32, 48])
@torch.no_grad()
def test_features_are_the_input_of_each_architecture_s_head(tmp_path: Path, name: str, size: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = getattr(transformers, f"{name}ForImageClassification")(CLASSIFIERS[name])
    whole.eval().save_pretrained(tmp_path)
    backbone = load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    options = {"interpolate_pos_encoding": True} if name in ("ViT", "DeiT", "Swin") else {}
    features = backbone(pixels)
    assert features.ndim == 2 and features.shape[1] > 5
    torch.testing.assert_close(whole.classifier(features), whole(pixels, **options).logits, rtol=1e-4, atol=1e-5)


VISION = {"vision_config": {**SMALL, "image_size": 32, "patch_size": 8}}
TEXT = {"text_config": {**SMALL, "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}}
OTHER_CLASSIFIERS = {
    "CLIP": CLIPConfig(**VISION, **TEXT, num_labels=5),
    "Siglip": SiglipConfig(**VISION, **TEXT, num_labels=5),
    "Swinv2": Swinv2Config(patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4, num_labels=5),
    "Levit": LevitConfig(
        image_size=32, hidden_sizes=[16, 24, 32], num_attention_heads=[1, 2, 2], key_dim=[8] * 3, depths=[1] * 3,
        num_labels=5,
    ),
    "Dinov2": Dinov2Config(**SMALL, image_size=32, patch_size=8, num_labels=5),
}  # fmt: skip


def write_classifier(name: str, folder: Path) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = getattr(transformers, f"{name}ForImageClassification")(OTHER_CLASSIFIERS[name])
    whole.eval().save_pretrained(folder)
    return whole


def change_weights(folder: Path, lacking: tuple[str, ...] = (), **added: torch.Tensor) -> None:
    file = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if not name.startswith(lacking)}
    save_file(kept | added, file, metadata={"format": "pt"})


def features_and_logits(whole: torch.nn.Module, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The input of a classifier's only linear layer after its body, as a hook sees it, and the logits."""
    (head,) = [module for module in whole.classifier.modules() if isinstance(module, torch.nn.Linear)]
    seen: list[torch.Tensor] = []
    with head.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0])):
        logits = whole(pixels).logits
    return seen[0], logits


@pytest.mark.parametrize("name", OTHER_CLASSIFIERS)
@torch.no_grad()
def test_features_of_classifiers_with_inner_models_and_buffers(tmp_path: Path, name: str) -> None:
    whole = write_classifier(name, tmp_path)
    features, logits = features_and_logits(whole, images(2))
    assert features.ndim == 2 and logits.shape == (2, 5)
    backbone = load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    torch.testing.assert_close(backbone(images(2)), features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Swinv2", "Levit", "CLIP"])
@torch.no_grad()
def test_buffers_in_older_files_are_ignored(tmp_path: Path, name: str) -> None:
    whole = write_classifier(name, tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    buffers = {key: value.clone() for key, value in whole.named_buffers() if key not in saved}
    assert buffers
    change_weights(tmp_path, **buffers)
    backbone = load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    torch.testing.assert_close(backbone(images(2)), features_and_logits(whole, images(2))[0], rtol=1e-4, atol=1e-5)
    body = name.lower() if name != "CLIP" else "vision_model"
    change_weights(tmp_path, **{f"{body}.foreign_index": torch.zeros(2)})
    with pytest.raises(InputError, match=rf"has weights that its architecture lacks \(1: {body}\.foreign_index\)"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)


@torch.no_grad()
def test_a_mask_token_may_lack(tmp_path: Path) -> None:
    """Only pretraining uses it, and DINOv2's files on the hub come without."""
    whole = write_classifier("Dinov2", tmp_path)
    change_weights(tmp_path, lacking=("dinov2.embeddings.mask_token",))
    assert "dinov2.embeddings.mask_token" not in load_file(tmp_path / "model.safetensors")
    backbone = load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    torch.testing.assert_close(backbone(images(2)), features_and_logits(whole, images(2))[0], rtol=1e-4, atol=1e-5)
    change_weights(tmp_path, lacking=("dinov2.embeddings.cls_token",))
    with pytest.raises(InputError, match=r"lacks weights of its architecture \(1: dinov2\.embeddings\.cls_token\)"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)


def test_inner_models_without_weights_are_refused(tmp_path: Path) -> None:
    write_classifier("CLIP", tmp_path)
    change_weights(tmp_path, lacking=("vision_model.",))
    with pytest.raises(InputError, match=r"lacks weights of its architecture .*vision_model\."):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)


def test_a_classifier_with_two_heads_is_refused(tmp_path: Path) -> None:
    transformers.DeiTForImageClassificationWithTeacher(CLASSIFIERS["DeiT"]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"models\.backbone: .* has 2 linear layers after its body"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)


def test_backbone_reads_no_pickles(tmp_path: Path) -> None:
    model = transformers.ResNetForImageClassification(CLASSIFIERS["ResNet"])
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    source = BackboneModel(path=str(tmp_path))
    with pytest.raises(InputError, match="cannot be loaded") as error:
        load_backbone(source, CPU)
    _, command = str(error.value).split("to convert them to safetensors: .venv/bin/python ")
    subprocess.run([sys.executable, *shlex.split(command)], check=True, capture_output=True)
    with torch.no_grad():
        expected = model.eval().resnet(images(2)).pooler_output.flatten(1)
        torch.testing.assert_close(load_backbone(source, CPU)(images(2)), expected)


@pytest.mark.parametrize(
    "change", [{"layer_type": "Basic"}, {"depths": "12"}, {"hidden_act": "foo"}, {"downsample_in_first_stage": "false"}]
)
def test_a_value_that_transformers_refuses_is_reported(tmp_path: Path, change: dict[str, str]) -> None:
    transformers.ResNetForImageClassification(CLASSIFIERS["ResNet"]).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    (value,) = change.values()
    with pytest.raises(InputError, match=rf"models\.backbone: .* cannot be loaded as an image classifier \(.*{value}"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)


def test_backbone_is_frozen_with_its_statistics(stand_ins: Path) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    first = backbone(images(4))
    assert not first.requires_grad and not backbone.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_feature_extractor_by_torch_hub(stand_ins: Path) -> None:
    model = FeatureModel(path=str(stand_ins / "dinov2"), entry_point="dinov2_demo", image_size=32)
    extractor = load_feature_extractor(model, CPU)
    features = extractor(images(2))
    assert features.shape[0] == 2 and features.ndim == 2 and not features.requires_grad


def test_fixed_batches_give_the_same_bits_anywhere(stand_ins: Path) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)
    pixels = images(11)

    def features(rows: list[int], micro_batch: int) -> torch.Tensor:
        return embed(backbone, rows, lambda batch: pixels[list(batch)], micro_batch=micro_batch, device=CPU)

    everything = features(list(range(11)), 4)
    assert everything.shape[0] == 11
    assert torch.equal(features([10, 3, 7], 4), everything[[10, 3, 7]])
    torch.testing.assert_close(features(list(range(11)), 16), everything, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="no images"):
        features([], 4)


def test_folders_without_a_model_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models\.backbone: .* cannot be loaded"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    with pytest.raises(InputError, match=r"models\.features: .* has no hubconf\.py"):
        load_feature_extractor(FeatureModel(path=str(tmp_path)), CPU)


def test_unknown_entry_point(stand_ins: Path) -> None:
    with pytest.raises(InputError, match="entry point `dinov3`"):
        load_feature_extractor(FeatureModel(path=str(stand_ins / "dinov2"), entry_point="dinov3"), CPU)


HUBCONF = """
import torch

def dinov2_tiny(*, pretrained=True, **kwargs):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 6))
    if pretrained:
        url = "https://example.org/dinov2_tiny.pth"
        model.load_state_dict(torch.hub.load_state_dict_from_url(url, map_location="cpu"))
    return model
"""


def test_named_weights_replace_those_that_an_entry_point_downloads(tmp_path: Path) -> None:
    """DINOv2's own entry points download pickled weights: the named file is read instead, as tensors only."""
    (tmp_path / "hubconf.py").write_text(HUBCONF)
    weights = {"1.weight": torch.randn(6, 48), "1.bias": torch.randn(6)}
    torch.save(weights, tmp_path / "tiny.pth")
    save_file(weights, tmp_path / "tiny.safetensors")
    pixels = torch.randn(2, 3, 4, 4)
    for file in ("tiny.pth", "tiny.safetensors"):
        extractor = load_feature_extractor(
            FeatureModel(path=str(tmp_path), entry_point="dinov2_tiny", weights=file), CPU
        )
        torch.testing.assert_close(extractor(pixels), pixels.flatten(1) @ weights["1.weight"].T + weights["1.bias"])


def test_truncated_weights_of_a_feature_extractor_are_reported(stand_ins: Path, tmp_path: Path) -> None:
    shutil.copytree(stand_ins / "dinov2", tmp_path / "dinov2")
    (weights,) = (tmp_path / "dinov2").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"models\.features: entry point `dinov2_demo` cannot be loaded"):
        load_feature_extractor(FeatureModel(path=str(tmp_path / "dinov2"), entry_point="dinov2_demo"), CPU)


@pytest.mark.parametrize(
    ("weights", "message"),
    [(None, "tries to download https://example.org/dinov2_tiny.pth"), ("none.pth", "none.pth: no such file")],
)
def test_an_entry_point_never_downloads_weights(tmp_path: Path, weights: str | None, message: str) -> None:
    (tmp_path / "hubconf.py").write_text(HUBCONF)
    fetch = torch.hub.load_state_dict_from_url
    with pytest.raises(InputError, match=message):
        load_feature_extractor(FeatureModel(path=str(tmp_path), entry_point="dinov2_tiny", weights=weights), CPU)
    assert torch.hub.load_state_dict_from_url is fetch

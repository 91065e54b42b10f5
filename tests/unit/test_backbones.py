"""Frozen models from the shipped formats, and features that don't depend on a place in a set."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageClassification

from diagen.backbones import embed, load_backbone, load_feature_extractor
from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError

CPU = torch.device("cpu")


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_backbone_gives_what_the_classifier_sees(stand_ins: Path) -> None:
    backbone = load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)
    whole = AutoModelForImageClassification.from_pretrained(stand_ins / "resnet", dtype=torch.float32).eval()
    with torch.no_grad():
        features = backbone(images(3))
        assert features.dtype == torch.float32 and features.ndim == 2
        torch.testing.assert_close(whole.classifier(features), whole(images(3)).logits)


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


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="models.backbone: .* can't be loaded"):
        load_backbone(BackboneModel(path=str(tmp_path)), CPU)
    with pytest.raises(InputError, match="holds no hubconf.py"):
        load_feature_extractor(FeatureModel(path=str(tmp_path)), CPU)


def test_unknown_entry_point(stand_ins: Path) -> None:
    with pytest.raises(InputError, match="entry point `dinov3`"):
        load_feature_extractor(FeatureModel(path=str(stand_ins / "dinov2"), entry_point="dinov3"), CPU)

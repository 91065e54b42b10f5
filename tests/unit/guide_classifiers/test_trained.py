"""Loading a trained guide classifier: its layer, its temperature, and the statistics of its training."""

import json
from pathlib import Path

import pytest
import torch
from transformers import ResNetConfig, ResNetForImageClassification

from diagen.classifiers import batch_norm
from diagen.classifiers.heads import Head
from diagen.classifiers.trained_file import write_head
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.guide_classifiers.calibration import Bin, Calibration, Reliability
from diagen.guide_classifiers.trained import load_guide_classifier
from diagen.models.backbones import load_backbone

CPU = torch.device("cpu")
PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def source(tmp_path: Path) -> BackboneModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = ResNetConfig(embedding_size=8, hidden_sizes=[16, 24], depths=[1, 1], layer_type="basic")
        ResNetForImageClassification(config).save_pretrained(tmp_path / "resnet")
    return BackboneModel(path=str(tmp_path / "resnet"))


def write_classifier(folder: Path, statistics: dict[str, torch.Tensor]) -> Path:
    folder.mkdir()
    write_head(Head(torch.ones(2, 24), torch.zeros(2), ("car", "star"), statistics), folder / "head.safetensors")
    unused = Reliability(0.5, 0.7, 0.1, (Bin(0.0, 1.0, 0.5, 0.5, 2),))
    content = Calibration(1.5, unused, unused, 2, 1).to_json(("car", "star"))
    (folder / "calibration.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@torch.no_grad()
def test_the_backbone_has_the_statistics_of_the_training(source: BackboneModel, tmp_path: Path) -> None:
    trained = load_backbone(source, CPU, batch_norm="training")
    for layer in batch_norm.layers(trained).values():
        layer.running_mean += 0.5
        layer.running_var *= 3
    folder = write_classifier(tmp_path / "training", batch_norm.running_statistics(trained))
    found = load_guide_classifier(folder, source, CPU)
    assert torch.equal(found.backbone(PIXELS), trained(PIXELS))
    assert not torch.allclose(found.backbone(PIXELS), load_backbone(source, CPU)(PIXELS))
    assert (found.head.classes, found.temperature) == (("car", "star"), 1.5)


@torch.no_grad()
def test_without_statistics_the_backbone_is_the_frozen_one(source: BackboneModel, tmp_path: Path) -> None:
    found = load_guide_classifier(write_classifier(tmp_path / "frozen", {}), source, CPU)
    assert torch.equal(found.backbone(PIXELS), load_backbone(source, CPU)(PIXELS))


def test_statistics_of_another_backbone_are_rejected(source: BackboneModel, tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "other", {"layer.running_mean": torch.zeros(3)})
    with pytest.raises(InputError, match="statistics are those of another backbone"):
        load_guide_classifier(folder, source, CPU)

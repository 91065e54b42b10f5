"""A trained guide classifier, as `train_guide_classifier` wrote it."""

from pathlib import Path
from typing import NamedTuple

import torch

from diagen.classifiers.batch_norm import load_statistics
from diagen.classifiers.heads import Head
from diagen.classifiers.trained_file import read_head
from diagen.config.models import BackboneModel
from diagen.files.json_files import read_calibration
from diagen.models.backbones import load_backbone
from diagen.models.classifier_body import Backbone


class GuideClassifier(NamedTuple):
    """The backbone with the statistics of the training, the linear layer, and the temperature of its logits."""

    backbone: Backbone
    head: Head
    temperature: float


def load_guide_classifier(folder: Path, source: BackboneModel, device: torch.device) -> GuideClassifier:
    """Load the guide classifier in `folder` and its backbone `source`.

    Raises `InputError` when a file is damaged, or when BatchNorm statistics are those of another backbone.
    """
    head_file = folder / "head.safetensors"
    head = read_head(head_file)
    backbone = load_backbone(source, device, batch_norm="training" if head.statistics else "frozen")
    if head.statistics:
        load_statistics(backbone, head.statistics, head_file)
    return GuideClassifier(backbone, head, read_calibration(folder / "calibration.json")["temperature"])

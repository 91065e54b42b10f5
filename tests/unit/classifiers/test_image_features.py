"""Features of image files: those that are not finite are an error, and no weight or accuracy is computed from them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from diagen.classifiers.image_features import augmented_features, plain_features, repeatable_features
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.models.backbones import Backbone, load_backbone

CPU = torch.device("cpu")
VIEW = {"size": 32, "micro_batch": 2, "device": CPU}


@pytest.fixture
def backbone(stand_ins: Path) -> Backbone:
    return load_backbone(BackboneModel(path=str(stand_ins / "resnet")), CPU)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{gray}.png" for gray in (0, 128, 255)]
    for path in found:
        Image.new("RGB", (40, 36), (int(path.stem),) * 3).save(path)
    return found


@pytest.mark.parametrize("kind", ["plain", "repeatable", "augmented"])
def test_features_that_are_not_finite_name_the_image(backbone: Backbone, paths: list[Path], kind: str) -> None:
    def features() -> torch.Tensor:
        if kind == "plain":
            return plain_features(backbone, paths, **VIEW)
        if kind == "repeatable":
            return repeatable_features(backbone, paths, **VIEW)()
        return augmented_features(backbone, paths, [1, 2, 3], "standard", **VIEW)

    assert features().isfinite().all()
    with torch.no_grad():
        next(backbone.parameters()).fill_(torch.nan)
    with pytest.raises(InputError, match=rf"^{paths[0]} and 2 more: the features are not finite .*`models\.backbone`"):
        features()


def test_only_images_with_such_features_are_counted(backbone: Backbone, paths: list[Path]) -> None:
    def overflow(_: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        return output * torch.where(inputs[0].mean((1, 2, 3)) > 0.5, torch.inf, 1.0)[:, None]

    backbone.register_forward_hook(overflow)
    with pytest.raises(InputError, match=rf"{paths[2]}: the features are not finite .*`models\.backbone`"):
        plain_features(backbone, paths, **VIEW)

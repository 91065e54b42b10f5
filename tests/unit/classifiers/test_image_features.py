"""Features of image files: those that are not finite are an error, and no weight or accuracy is computed from them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from diagen.classifiers import image_features
from diagen.classifiers.augmentation import AUGMENTATIONS, decode
from diagen.classifiers.image_features import augmented_features, plain_features, repeatable_features
from diagen.config.models import BackboneModel
from diagen.errors import InputError
from diagen.models.backbones import load_backbone
from diagen.models.classifier_body import Backbone

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
        return augmented_features(backbone, paths, [[1, 4], [2, 5], [3, 6]], "standard", **VIEW)

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


def test_each_file_is_read_once_per_batch_for_all_its_views(
    backbone: Backbone, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(image_features, "decode", lambda path: (read.append(path), decode(path))[1])
    seeds = [[7, 8, 9, 10], [11, 12, 13, 14], [15, 16, 17, 18]]
    features = augmented_features(backbone, paths, seeds, "standard", size=32, micro_batch=4, device=CPU)
    assert sorted(read) == sorted(paths)
    standard = AUGMENTATIONS["standard"]
    for row, path in enumerate(paths):
        draws = [torch.rand(standard.draws, generator=torch.Generator().manual_seed(seed)) for seed in seeds[row]]
        with torch.no_grad():
            alone = torch.cat([backbone(standard.apply([decode(path)], one[None], 32)) for one in draws])
        torch.testing.assert_close(features[row], alone, rtol=1e-4, atol=1e-5)

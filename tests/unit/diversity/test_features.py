"""Features of image files: preprocessing, order, and batch size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diagen.config.models import FeatureModel
from diagen.diversity.features import image_features, listed_images, load_pixels, normalize
from diagen.errors import InputError
from diagen.models.backbones import load_feature_extractor

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rs = np.random.RandomState(0)
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(rs.randint(0, 256, (20 + number, 30, 3), dtype=np.uint8)).save(paths[-1])
    return paths


def test_pixels_are_bicubic_and_normalized_as_imagenet(files: list[Path]) -> None:
    with Image.open(files[0]) as image:
        expected = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)) / 255
    expected = (expected - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalize(load_pixels(files[0], 32)).permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_features_are_in_order_for_any_batch_size(stand_ins: Path, files: list[Path]) -> None:
    model = FeatureModel(path=str(stand_ins / "dinov2"), entry_point="dinov2_demo", image_size=32)
    extractor = load_feature_extractor(model, CPU)
    features = image_features(extractor, files, size=32, micro_batch=2, device=CPU)
    assert features.dtype == np.float32 and features.shape[0] == 5
    with torch.no_grad():
        expected = extractor(normalize(torch.stack([load_pixels(path, 32) for path in files]))).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-4)
    again = image_features(extractor, files[::-1], size=32, micro_batch=2, device=CPU)
    np.testing.assert_array_equal(again[::-1], features)


def test_listed_images(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text('path,class\n"a,b.png",car\nc.png,car\n')
    (tmp_path / "manifest.csv").write_text("file_name,class\nimages/ab/x.png,car\n")
    (tmp_path / "other.csv").write_text("class\ncar\n")
    assert listed_images(tmp_path / "images.csv") == ["a,b.png", "c.png"]
    assert listed_images(tmp_path / "manifest.csv") == ["images/ab/x.png"]
    with pytest.raises(InputError, match=r"damaged \(missing columns: file_name; check"):
        listed_images(tmp_path / "other.csv")
    (tmp_path / "empty.csv").write_text("path,class\n")
    with pytest.raises(InputError, match=r"empty.csv: the table lists no images\. .* rm /.*empty.csv$"):
        listed_images(tmp_path / "empty.csv")


def test_non_finite_features_name_their_image(tmp_path: Path) -> None:
    class Overflowing(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.where(pixels.mean((1, 2, 3)) > 0, torch.inf, 1.0)[:, None]

    for name, gray in (("dark.png", 0), ("bright.png", 255)):
        Image.new("RGB", (8, 8), (gray, gray, gray)).save(tmp_path / name)
    paths = [tmp_path / "dark.png", tmp_path / "bright.png"]
    with pytest.raises(
        InputError, match=r"bright.png: the features are not finite .*`models.features`.* Use other weights"
    ):
        image_features(Overflowing(), paths, size=8, micro_batch=2, device=torch.device("cpu"))

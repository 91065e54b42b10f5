"""The exported dataset: `datasets` opens it with any names and prompts, and files are unchanged."""

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import datasets as huggingface
import numpy as np
import pytest
from huggingface_hub import DatasetCard
from PIL import Image

from diagen.cells import Cell
from diagen.config import BackboneModel, DiffusionModel, Embedding, Generator, GuideClassifier, Weighting
from diagen.config.programs import ExportDatasetSettings
from diagen.data.shots_file import Shot, write_shots
from diagen.errors import InputError
from diagen.export.card import dataset_card
from diagen.export.image_folder import place_images, plan_export, write_metadata
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.weighting.weights_file import WeightRow, write_weights

# `train` and `val` are names of splits to `datasets`; the others have to survive CSV, Markdown and the file system.
CLASSES = ("train", "val", 'say_"cheese",_|pipe|', "Größe_#1_😀", "a::b/../<c>")
PROMPTS = (
    'a photo of a <x>, "quoted" and, with commas',
    "a photo of a <x>\nin two\r\nlines",
    "ein Foto von <x> in Köln 🌧 \u2028 null",
)
GUIDES, IMAGES = 2, 3
P = 0.7


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def planned(tmp_path: Path) -> tuple[list[Shot], list[ManifestRow], Path]:
    """Two photos of each class under awkward names, three images of each in a store, and photos of other roles."""
    random = np.random.default_rng(0)

    def picture(path: Path, **options: object) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(path, **options)
        return sha256(path)

    shots, manifest, store = [], [], tmp_path / "store"
    turned = Image.Exif()
    turned[0x0112] = 6
    for number, name in enumerate(CLASSES):
        files = (("IMG (1) [a].JPG", "JPEG"), ("no suffix", "PNG"))
        for guide, (file, kind) in enumerate(files):
            path = tmp_path / "photos" / str(number) / file
            digest = picture(path, format=kind, **({"exif": turned} if kind == "JPEG" else {}))
            shots.append(Shot("guide", name, guide, str(path), digest))
            for image in range(IMAGES):
                made = Path("images") / f"{number}-{guide}-{image}.png"
                digest = picture(store / made)
                prompt = PROMPTS[image % len(PROMPTS)]
                manifest.append(ManifestRow(str(made), name, guide, image, prompt, 0.005 * image, 1, 2, digest, 1))
        path = tmp_path / "photos" / str(number) / "test.png"
        shots.append(Shot("test", name, None, str(path), picture(path)))
    return shots, manifest, store


def settings(weighting: bool = True) -> ExportDatasetSettings:
    model = {"path": "models/sd", "sha256": "0" * 64}
    return ExportDatasetSettings(
        method="diagen",
        synthetic_probability=P,
        generator=Generator(embedding="paper", strength=0.7, guidance_scale=15),
        embedding=Embedding(),
        prompts=None,
        weighting=Weighting(guide_classifier="paper") if weighting else None,
        guide_classifier=GuideClassifier() if weighting else None,
        diffusion=DiffusionModel(**model),
        llama=None,
        backbone=BackboneModel(repository="microsoft/resnet-50", revision="abc"),
    )


def export(
    planned: tuple[list[Shot], list[ManifestRow], Path], folder: Path, shares: list[float] | None = None
) -> list:
    shots, manifest, store = planned
    images = plan_export(shots, manifest, shares, synthetic_probability=P, store=store)
    place_images(images, folder)
    write_metadata([image.row for image in images], folder / "metadata.csv")
    return images


def test_datasets_opens_it(planned: tuple, tmp_path: Path) -> None:
    shots, manifest, store = planned
    shares = [0.5, 0.25, 0.25] * (len(manifest) // 3)
    rows = [image.row for image in export(planned, tmp_path / "export", shares)]
    (tmp_path / "export" / "README.md").write_text(
        dataset_card(rows, settings(), Cell("photos", 0, 2)), encoding="utf-8"
    )
    by_name = huggingface.load_dataset("imagefolder", data_dir=str(tmp_path / "export"), cache_dir=str(tmp_path / "a"))
    by_path = huggingface.load_dataset(str(tmp_path / "export"), cache_dir=str(tmp_path / "b"))
    for loaded in (by_name, by_path):
        assert list(loaded) == ["train"]
        images = loaded["train"]
        assert len(images) == len(CLASSES) * GUIDES * (1 + IMAGES)
        found = {(row["label"], row["synthetic"], row["prompt"]) for row in images.remove_columns("image")}
        assert found == {(row.class_name, True, row.prompt) for row in manifest} | {
            (name, False, None) for name in CLASSES
        }
        assert sum(images["probability"]) == pytest.approx(1)
        real = [row for row in images if not row["synthetic"]]
        assert sum(row["probability"] for row in real) == pytest.approx(1 - P)
        assert all(row["weight"] is None and row["noise_level"] is None for row in real)
        assert sorted({row["weight"] for row in images if row["synthetic"]}) == [0.25, 0.5]
    # Each image belongs to its row; photos are upright.
    sources = {(row.class_name, row.guide, row.number): store / row.file_name for row in manifest}
    for row, loaded in zip(rows, by_name["train"], strict=True):
        if row.synthetic:
            guide, number = row.file_name.split("/")[-1].split("-")[:2]
            pixels = np.asarray(Image.open(sources[row.label, int(guide), int(number)]))
            assert np.array_equal(np.asarray(loaded["image"]), pixels)
        elif row.file_name.endswith(".jpg"):
            assert loaded["image"].size == (8, 12)


def test_files_are_the_photos_and_the_images_unchanged(planned: tuple, tmp_path: Path) -> None:
    shots, manifest, store = planned
    images = export(planned, tmp_path / "export")
    assert len({image.row.file_name for image in images}) == len(images)
    for image in images:
        assert sha256(tmp_path / "export" / image.row.file_name) == sha256(image.source) == image.sha256
    guides = {image.row.file_name for image in images if not image.row.synthetic}
    assert {image.row.source_guide for image in images} == guides
    assert sorted(sha256(tmp_path / "export" / name) for name in guides) == sorted(
        shot.sha256 for shot in shots if shot.role == "guide"
    )
    synthetic = next(image for image in images if image.row.synthetic)
    assert (tmp_path / "export" / synthetic.row.file_name).samefile(synthetic.source)
    real = next(image for image in images if not image.row.synthetic)
    assert not (tmp_path / "export" / real.row.file_name).samefile(real.source)


def test_a_photo_without_suffix_gets_that_of_its_format_whatever_its_metadata(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    Image.new("RGB", (4, 4)).save(path, format="PNG", icc_profile=np.random.default_rng(0).bytes(2_000_000))
    shots = [Shot("guide", "cup", 0, str(path), sha256(path))]
    (image,) = plan_export(shots, [], None, synthetic_probability=0, store=tmp_path)
    assert image.row.file_name.endswith(".png")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="photo: not an image .*rm results/<experiment>/<dataset>/images.csv"):
        plan_export(shots, [], None, synthetic_probability=0, store=tmp_path)


def test_images_are_copied_if_they_cannot_be_linked(planned: tuple, tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    for image in export(planned, tmp_path / "export"):
        assert sha256(tmp_path / "export" / image.row.file_name) == image.sha256


def test_without_weights_all_images_of_a_guide_weigh_the_same(planned: tuple, tmp_path: Path) -> None:
    images = export(planned, tmp_path / "export")
    weights = [image.row.weight for image in images if image.row.synthetic]
    assert weights == pytest.approx([1 / IMAGES] * len(weights))


def test_an_export_resumes_and_removes_stale_files(planned: tuple, tmp_path: Path) -> None:
    shots, manifest, store = planned
    folder = tmp_path / "export"
    export(planned, folder)
    kept = {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*.*"))[::2] if path.parent != folder}
    for path in set(folder.rglob("*.*")) - set(kept):
        path.unlink()
    mine = folder / "images" / "holiday.png"
    mine.write_bytes(b"not ours")
    (store / manifest[-1].file_name).write_bytes(b"other")
    shorter = manifest[: -IMAGES * GUIDES]
    one_class_less = [shot for shot in shots if shot.class_name != manifest[-1].class_name]
    images = export((one_class_less, shorter, store), folder)
    files = {path for path in (folder / "images").rglob("*") if path.is_file()}
    assert files == {folder / image.row.file_name for image in images} | {mine}
    assert all(path.stat().st_mtime_ns == kept[path] for path in files & set(kept))


def test_all_missing_and_changed_files_are_reported_and_nothing_is_written(planned: tuple, tmp_path: Path) -> None:
    shots, manifest, store = planned
    Path(shots[0].path).unlink()
    (store / manifest[4].file_name).write_bytes(b"other")
    with pytest.raises(InputError) as error:
        export(planned, tmp_path / "export")
    assert f"- {shots[0].path}: no such file. Restore the file" in str(error.value)
    assert f"- {store / manifest[4].file_name}: the content has changed. To generate it again, type" in str(error.value)
    assert not (tmp_path / "export").exists()


def test_the_card_lists_models_configuration_and_counts(planned: tuple, tmp_path: Path) -> None:
    rows = [image.row for image in export(planned, tmp_path / "export")]
    text = dataset_card(rows, settings(), Cell("photos", 3, 2))
    card = DatasetCard(text)
    assert card.data.to_dict()["pretty_name"] == "photos, seed 3, 2 shots: DIAGen"
    assert f"{len(CLASSES) * GUIDES} real images and {len(CLASSES) * GUIDES * IMAGES} synthetic ones" in text
    assert "`models/sd`, SHA-256 `" + "0" * 64 in text
    assert "`microsoft/resnet-50`, revision `abc`" in text
    assert '"guidance_scale": 15.0' in text and "OpenRAIL" in text
    table = text[text.index("| class |") : text.index("## How it was made")].strip().splitlines()
    assert len(table) == 2 + len(CLASSES)
    assert all(line.replace(" ", "").count("|") == 4 and line.endswith("| 2 | 6 |") for line in table[2:])


def test_the_program(planned: tuple, tmp_path: Path) -> None:
    shots, manifest, store = planned
    write_shots(shots, tmp_path / "shots.csv")
    write_manifest(manifest, tmp_path / "manifest.csv")
    write_weights([WeightRow(row.file_name, 0.5, 1.0, 1 / IMAGES) for row in manifest], tmp_path / "weights.csv")
    command = [sys.executable, "workflow_scripts/export_dataset.py", tmp_path / "shots.csv"]
    command += ["--manifest", tmp_path / "manifest.csv", "--weights", tmp_path / "weights.csv", "--store", store]
    command += ["--settings", settings().model_dump_json(), "--dataset", "photos", "--seed", "0", "--shots", "2"]
    subprocess.run([*command, "--output", tmp_path / "export" / "metadata.csv"], check=True)
    with open(tmp_path / "export" / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(CLASSES) * GUIDES * (1 + IMAGES)
    assert all((tmp_path / "export" / row["file_name"]).is_file() for row in rows)
    assert (tmp_path / "export" / "README.md").read_text("utf-8").startswith("---\npretty_name:")

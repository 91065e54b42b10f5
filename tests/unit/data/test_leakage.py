"""The leakage audit: against scipy's distances, and on photos that were saved again, cropped or resized."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from diagen.config import ImageFolder
from diagen.data.images_file import ImageRow, write_images
from diagen.data.index import index_dataset
from diagen.data.leakage import CLOSEST, PAIRS, audit_cell, unit_features
from diagen.data.leakage_file import Leak, read_leaks, write_leaks
from diagen.data.shots import draw_shots
from diagen.data.shots_file import Shot, write_shots
from diagen.errors import InputError

FEATURES, SHOTS = Path("world/features.npy"), Path("world/seed0/shots2/shots.csv")
SIZES = {"guide": 7, "val": 30, "test": 40, "test_uncommon": 12}


def random_cell(seed: int) -> tuple[list[Shot], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A cell with random features; its shots, unit features by path, and raw features by role."""
    random = np.random.RandomState(seed)
    cell, rows = [], []
    for role, size in SIZES.items():
        for number in range(size):
            cell.append(
                Shot(
                    role,
                    f"class{number % 3}",
                    number if role == "guide" else None,
                    f"{role}/{number}",
                    f"{role}{number}",
                )
            )
            rows.append(ImageRow(f"{role}/{number}", f"class{number % 3}", role, 1, 1, f"{role}{number}"))
    features = random.randn(len(rows), 8).astype(np.float32)
    units = unit_features(rows, features, FEATURES)
    raw = {role: features[[index for index, shot in enumerate(cell) if shot.role == role]] for role in SIZES}
    return cell, units, raw


def test_distances_and_counts_equal_those_of_scipy() -> None:
    cell, units, raw = random_cell(3)
    near = 0.55
    leaks = audit_cell(cell, 5, 2, units, near, SHOTS)
    assert [(leak.earlier, leak.later) for leak in leaks] == list(PAIRS)
    for leak in leaks:
        distances = cdist(raw[leak.later].astype(np.float64), raw[leak.earlier].astype(np.float64), "cosine")
        nearest = distances.min(axis=1)
        assert (leak.seed, leak.shots, leak.images, leak.exact) == (5, 2, len(nearest), 0)
        assert leak.near == np.count_nonzero(nearest <= near) > 0
        kept = min(leak.near + CLOSEST, leak.images)
        assert [twin.distance for twin in leak.twins] == pytest.approx(sorted(nearest)[:kept], abs=2e-6)
        for twin in leak.twins:
            later, earlier = (int(path.split("/")[1]) for path in (twin.path, twin.twin_path))
            assert twin.distance == pytest.approx(distances[later, earlier], abs=2e-6)
            assert (twin.kind == "near") == (twin.distance <= near)


def test_equal_files_are_exact_copies_whatever_their_features() -> None:
    cell, units, _ = random_cell(4)
    copy = next(shot for shot in cell if shot.role == "guide")
    cell = [
        Shot(shot.role, shot.class_name, shot.guide, shot.path, copy.sha256) if shot.path == "test/9" else shot
        for shot in cell
    ]
    leaks = {(leak.earlier, leak.later): leak for leak in audit_cell(cell, 0, 2, units, 0.0, SHOTS)}
    assert {pair: leak.exact for pair, leak in leaks.items()} == dict.fromkeys(PAIRS, 0) | {("guide", "test"): 1}
    first = leaks["guide", "test"].twins[0]
    assert (first.kind, first.path, first.twin_path) == ("exact", "test/9", copy.path)


def test_a_cell_without_uncommon_images_has_three_pairs() -> None:
    cell, units, _ = random_cell(5)
    leaks = audit_cell([shot for shot in cell if shot.role != "test_uncommon"], 0, 2, units, 0.1, SHOTS)
    assert [(leak.earlier, leak.later) for leak in leaks] == [("guide", "val"), ("guide", "test"), ("val", "test")]


def test_features_of_another_table_are_reported() -> None:
    with pytest.raises(InputError, match="world/features.npy: 3 rows, but images.csv lists 0 .* rm world/features.npy"):
        unit_features([], np.zeros((3, 2), dtype=np.float32), FEATURES)


def test_shots_of_another_table_are_reported() -> None:
    cell, units, _ = random_cell(7)
    with pytest.raises(InputError, match="shots2/shots.csv: elsewhere is not in images.csv.* rm .*shots2/shots.csv"):
        audit_cell([*cell, Shot("test", "cup", None, "elsewhere", "0")], 0, 2, units, 0.1, SHOTS)


def test_features_of_zero_length_are_far_from_all() -> None:
    rows = [ImageRow(name, "cup", "test", 1, 1, name) for name in "ab"]
    units = unit_features(rows, np.array([[0, 0], [0, 2]], dtype=np.float32), FEATURES)
    cell = [Shot("guide", "cup", 0, "a", "a"), Shot("test", "cup", None, "b", "b")]
    (leak,) = audit_cell(cell, 0, 1, units, 0.05, SHOTS)
    assert (leak.near, leak.twins[0].distance) == (0, 1.0)


def test_the_audit_survives_a_round_trip(tmp_path: Path) -> None:
    cell, units, _ = random_cell(6)
    leaks = audit_cell(cell, 0, 2, units, 0.1, SHOTS)
    write_leaks(leaks, 0.1, tmp_path / "leakage.json")
    assert read_leaks(tmp_path / "leakage.json") == (leaks, 0.1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two classes; some are test images too: as copies, saved again, resized, and cropped."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.RandomState(0)
    for name in ("cup", "mug"):
        for split, count in (("train-val", 6), ("test", 4)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                colors = random.randint(0, 256, (5, 5, 3), dtype=np.uint8)
                Image.fromarray(colors).resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")
    source = root / "train-val" / "cup" / "0.jpg"
    (root / "test" / "mug" / "copy.jpg").write_bytes(source.read_bytes())
    with Image.open(source) as image:
        image.save(root / "test" / "cup" / "saved.jpg", quality=60)
        image.resize((80, 60)).save(root / "test" / "cup" / "small.png")
        image.crop((2, 2, 118, 88)).save(root / "test" / "cup" / "cut.png")
    return root


def audit(root: Path, stand_ins: Path, folder: Path) -> list[Leak]:
    """Audit with the programs and the stand-in for DINOv2; all train-val images but one are guide images."""
    images = index_dataset(ImageFolder(adapter="image_folder", root=str(root))).images
    write_images(images, folder / "images.csv")
    write_shots(draw_shots(images, dataset="photos", seed=0, shots=5, guide_pool=5), folder / "shots.csv")
    model = f'{{"features": {{"path": "{stand_ins}/dinov2", "entry_point": "dinov2_demo", "image_size": 32}}}}'
    features = [
        str(folder / "images.csv"),
        "--root",
        ".",
        "--settings",
        model,
        "--device",
        "cpu",
        "--torch-threads",
        "1",
    ]
    programs = [
        ["extract_features", *features, "--micro-batch", "8", "--output", str(folder / "features.npy")],
        [
            *("audit_leakage", str(folder / "images.csv"), str(folder / "features.npy")),
            *("--cell", "0", "5", str(folder / "shots.csv")),
            *("--settings", '{"near_distance": 0.002}', "--output", str(folder / "leakage.json")),
        ],
    ]
    for program, *arguments in programs:
        command = [sys.executable, f"workflow_scripts/{program}.py", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    return read_leaks(folder / "leakage.json")[0]


def test_repeated_photos_are_found(photos: Path, stand_ins: Path, tmp_path: Path) -> None:
    leaks = audit(photos, stand_ins, tmp_path)
    found: dict[str, set[str]] = {"exact": set(), "near": set()}
    for leak in leaks:
        for twin in leak.twins:
            if twin.kind != "apart":
                assert Path(twin.twin_path).relative_to(photos).as_posix() == "train-val/cup/0.jpg"
                found[twin.kind].add(Path(twin.path).relative_to(photos).as_posix())
    assert found["exact"] == {"test/mug/copy.jpg"}
    assert found["near"] == {"test/cup/saved.jpg", "test/cup/small.png", "test/cup/cut.png"}


def test_a_cell_without_numbers_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tables = ["audit_leakage", "images.csv", "features.npy", "--cell", "zero", "5", "shots.csv"]
    monkeypatch.setattr(sys, "argv", [*tables, "--settings", '{"near_distance": 0.002}', "--output", "leakage.json"])
    with pytest.raises(SystemExit):
        importlib.import_module("audit_leakage").main()
    assert "--cell: expected two whole numbers (seed, shots) and a table" in capsys.readouterr().err

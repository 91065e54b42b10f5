"""FOCUS, drawn in its exact format: folders `<class>-<setting>` and an SQLite file that corrects their classes."""

import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import Focus
from diagen.data.index import index_dataset
from diagen.errors import InputError

CLASSES = ("truck", "car", "plane", "ship", "cat", "dog", "horse", "deer", "frog", "bird")
SETTINGS = ("snow", "rain")
TABLE = (
    "CREATE TABLE annotations "
    "(file_name TEXT PRIMARY KEY, category TEXT, time TEXT, weather TEXT, locations TEXT, humans TEXT)"
)


def write_database(root: Path, rows: list[tuple[str, str, str]]) -> None:
    """`rows` are file name, category and whether there are humans."""
    with sqlite3.connect(root / "annotations.db") as database:
        database.execute("DROP TABLE IF EXISTS annotations")
        database.execute(TABLE)
        database.executemany("INSERT INTO annotations VALUES (?, ?, 'day', 'snowing', 'snow, street', ?)", rows)
    database.close()


@pytest.fixture
def focus(tmp_path: Path) -> Path:
    """Three photos in each of two settings of each class; two rows correct it, one photo has people, one no row."""
    rows = []
    for seed, name in enumerate(CLASSES):
        for setting in SETTINGS:
            (tmp_path / f"{name}-{setting}").mkdir()
            for number in range(3):
                pixels = np.random.RandomState(100 * seed + number).randint(0, 256, (4, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / f"{name}-{setting}" / f"{number}.jpg")
                rows.append((f"/{name}-{setting}/{number}.jpg", name, "no"))
    other = {
        "/truck-snow/0.jpg": ("car", "no"),
        "/truck-snow/1.jpg": ("ship", "no"),
        "/cat-rain/2.jpg": ("dog", "yes"),
    }
    rows = [
        (name, *other.get(name, (category, humans))) for name, category, humans in rows if name != "/frog-rain/0.jpg"
    ]
    (tmp_path / "about").mkdir()
    (tmp_path / "README.txt").write_text("about")
    write_database(tmp_path, [*rows, ("/car-snow/gone.jpg", "car", "no")])
    return tmp_path


def block(root: Path, **keys: object) -> Focus:
    return Focus(adapter="focus", root=str(root), **{"train_val_per_class": 3, **keys})


def complaint(dataset: Focus, shots: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset, shots)
    return str(caught.value)


def test_the_database_corrects_the_folders(focus: Path) -> None:
    rows = index_dataset(block(focus), shots=2).images
    classes = {Path(row.path).relative_to(focus).as_posix(): row.class_name for row in rows}
    assert len(rows) == len(classes) == 60
    assert (classes["truck-snow/0.jpg"], classes["truck-snow/1.jpg"]) == ("car", "ship")
    assert classes["cat-rain/2.jpg"] == "cat"  # rows of photos with people are ignored
    assert classes["frog-rain/0.jpg"] == "frog"  # a photo without a row is listed
    sizes = Counter(row.class_name for row in rows)
    assert (sizes["truck"], sizes["car"], sizes["ship"], sizes["dog"]) == (4, 7, 7, 6)


def test_the_split_is_seeded(focus: Path) -> None:
    rows = index_dataset(block(focus)).images
    assert all(
        count == 3
        for (_, split), count in Counter((row.class_name, row.split) for row in rows).items()
        if split == "train_val"
    )
    assert {row.split for row in rows} == {"train_val", "test"}
    assert index_dataset(block(focus)).images == rows
    assert index_dataset(block(focus, split_seed=1)).images != rows


def test_some_classes_only(focus: Path) -> None:
    rows = index_dataset(block(focus, classes=("car", "ship"))).images
    assert Counter(row.class_name for row in rows) == {"car": 7, "ship": 7}
    assert "truck-snow/0.jpg" in {Path(row.path).relative_to(focus).as_posix() for row in rows}
    assert "`classes`: `boat` is not in FOCUS; available classes: bird, car" in complaint(
        block(focus, classes=("boat",))
    )


def test_the_paper_s_number_is_the_default(focus: Path) -> None:
    text = complaint(Focus(adapter="focus", root=str(focus)))
    assert text.count("`train_val_per_class: 108` leaves none to test") == 10


def test_unknown_and_contradicting_categories_are_reported(focus: Path) -> None:
    rows = [("/car-snow/0.jpg", "bus", "no"), ("/car-snow/1.jpg", "car", "no"), ("car-snow/1.jpg", "truck", "no")]
    write_database(focus, rows)
    text = complaint(block(focus))
    assert "unknown category `bus`" in text and "`car-snow/1.jpg` has two categories" in text


def test_other_databases_are_reported(focus: Path) -> None:
    write_database(focus, [("/elsewhere/0.jpg", "car", "no")])
    assert f"none of its files exist, such as `{focus}/elsewhere/0.jpg`" in complaint(block(focus))
    with sqlite3.connect(focus / "annotations.db") as database:
        database.execute("ALTER TABLE annotations RENAME COLUMN humans TO people")
    database.close()
    assert "not the database of FOCUS (no such column: humans)" in complaint(block(focus))
    (focus / "annotations.db").write_bytes(b"no database, but longer than a header of a hundred bytes " * 4)
    assert "not the database of FOCUS (file is not a database)" in complaint(block(focus))
    (focus / "annotations.db").unlink()
    assert "annotations.db: no such file; copy it from the download of FOCUS" in complaint(block(focus))


def test_a_database_that_cannot_be_read_is_not_called_a_wrong_one(focus: Path) -> None:
    (focus / "annotations.db").unlink()
    (focus / "annotations.db").symlink_to("/proc/self/mem")  # a file whose first byte cannot be read
    text = complaint(block(focus))
    assert "annotations.db: cannot be opened (disk I/O error); correct its permissions" in text
    assert "not the database" not in text


def test_reading_leaves_the_folder_unchanged(focus: Path) -> None:
    before = sorted(focus.rglob("*"))
    focus.chmod(0o555)
    index_dataset(block(focus))
    focus.chmod(0o755)
    assert sorted(focus.rglob("*")) == before

"""Names in any Unicode form, files of operating systems, and classes that a dataset lacks."""

import json
import sqlite3
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.config import CustomCoco, Focus, ImageFolder
from diagen.data.gaps import split_gaps, too_few_classes
from diagen.data.index import index_dataset
from diagen.data.names import class_label
from diagen.errors import InputError
from diagen.letters import plain
from diagen.prompts.form import form_fault, to_pseudo_word
from diagen.prompts.hand_written import read_prompt_table

NFC, NFD = "café", unicodedata.normalize("NFD", "café")
FORMS = [(NFC, NFD), (NFD, NFC), (NFD, NFD)]
JUNK = ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information", "#recycle", ".hidden")
JUNK_FILES = ("Thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._cup.png", "Icon\r")
JUNK_FILES += ("IMG_1.jpg:Zone.Identifier", "0.png:zone.identifier", "Thumbs.db:encryptable")


def save(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (4, 6, 3), dtype=np.uint8)).save(path, "PNG")


def folder(root: Path, *classes: str, splits: tuple[str, ...] = ("train-val", "test")) -> None:
    for seed, name in enumerate(classes):
        for split in splits:
            for number in range(2):
                save(root / split / name / f"{number}.png", 10 * seed + number)


def photos(root: Path, **keys: object) -> ImageFolder:
    return ImageFolder(adapter="image_folder", root=str(root), **keys)


def complaint(dataset: ImageFolder | CustomCoco | Focus, shots: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        index_dataset(dataset, shots)
    return str(caught.value)


# ---------------------------------------------------------------- Unicode


@pytest.mark.parametrize(("table", "disk"), FORMS)
def test_a_split_table_finds_files_in_any_unicode_form(tmp_path: Path, table: str, disk: str) -> None:
    lines = ["path,split"]
    for name in (disk, "mug"):
        for number, split in enumerate(("train_val", "test")):
            save(tmp_path / name / f"{name} {number}.png")
            form = table if name == disk else name
            lines.append(f"{form}/{form} {number}.png,{split}")
    (tmp_path / "splits.csv").write_text("\n".join(lines) + "\n", "utf-8")
    rows = index_dataset(photos(tmp_path, split_table=str(tmp_path / "splits.csv"), classes=(table, "mug"))).images
    assert {row.class_name for row in rows} == {NFC, "mug"}
    assert {row.path for row in rows if row.class_name == NFC} == {
        (tmp_path / disk / f"{disk} {number}.png").as_posix() for number in range(2)
    }


def test_two_names_that_are_one_in_composed_unicode_are_reported_with_both(tmp_path: Path) -> None:
    folder(tmp_path, "mug", NFC, NFD)
    save(tmp_path / "train-val" / "mug" / f"{NFC}.png")
    save(tmp_path / "train-val" / "mug" / f"{NFD}.png")
    text = complaint(photos(tmp_path))
    assert "one name, `café`, in two Unicode forms; merge the folders" in text
    assert "one name, `café.png`, in two Unicode forms; rename or remove one of the files" in text
    for name in (NFC, NFD):
        assert ascii((tmp_path / "train-val" / name).as_posix()) in text
        assert ascii((tmp_path / "train-val" / "mug" / f"{name}.png").as_posix()) in text


def test_a_split_table_that_lists_one_name_in_two_forms_is_reported_with_both(tmp_path: Path) -> None:
    for seed, name in enumerate((NFC, NFD)):
        save(tmp_path / f"{name}.png", seed)
    text = f"path,split,class\n{NFC}.png,train_val,cup\n{NFD}.png,test,cup\n{NFC}.png,test,cup\n"
    (tmp_path / "splits.csv").write_text(text, "utf-8")
    found = complaint(photos(tmp_path, split_table=str(tmp_path / "splits.csv")))
    assert f"row 3: {ascii(f'{tmp_path}/{NFC}.png')}, {ascii(f'{tmp_path}/{NFD}.png')}: one name" in found
    assert "row 4: " in found and "already listed above" in found


@pytest.mark.parametrize(("prompt", "name"), [*FORMS, ("jack-o’-lantern", "jack-o'-lantern"), ("x‑ray", "x-ray")])
def test_prompts_mention_classes_in_any_form(tmp_path: Path, prompt: str, name: str) -> None:
    label = class_label(name)
    expected = f"a photo of a <{label}> by a cup’s rim"
    assert to_pseudo_word(f"a photo of a {prompt} by a cup’s rim", label) == expected
    assert to_pseudo_word(f"a photo of a {prompt} by a cup’s rim", name).startswith("a photo of a <")
    assert form_fault(f"a photo of a {prompt} by a cup’s rim", label) is None
    (tmp_path / "prompts.csv").write_text(f"class ,prompt\n{prompt},a photo of a {prompt} by a cup’s rim\n", "utf-8")
    (row,) = read_prompt_table(tmp_path / "prompts.csv", [label])
    assert to_pseudo_word(row.prompt, row.class_name) == expected


@pytest.mark.parametrize("mark", "‘’ʼ＇“”„‐‑‒–—−")
def test_typographic_marks_are_their_plain_ones(mark: str) -> None:
    assert plain(f"a{mark}b") in ("a'b", 'a"b', "a-b")
    assert class_label(f"a{mark} b") == plain(f"a{mark}_b")


def test_folders_that_differ_in_typographic_marks_are_one_class_or_an_error(tmp_path: Path) -> None:
    folder(tmp_path, "jack-o’-lantern", "mug", splits=("train-val",))
    folder(tmp_path, "jack-o'-lantern", "mug", splits=("test",))
    rows = index_dataset(photos(tmp_path, classes=("jack‑o’‑lantern", "mug"))).images
    assert {row.class_name for row in rows} == {"jack-o'-lantern", "mug"}
    folder(tmp_path, "jack-o’-lantern", splits=("test",))
    assert "two folders of the class `jack-o'-lantern`" in complaint(photos(tmp_path))


def test_focus_finds_corrections_in_any_unicode_form(tmp_path: Path) -> None:
    for name in ("car", "dog"):
        for number in range(3):
            save(tmp_path / f"{name}-{NFD}" / f"{number}.png", number)
    database = sqlite3.connect(tmp_path / "annotations.db")
    database.execute("CREATE TABLE annotations (file_name TEXT, category TEXT, humans TEXT)")
    database.execute("INSERT INTO annotations VALUES (?, 'dog', 'no')", (f"/car-{NFC}/0.png",))
    database.commit()
    database.close()
    dataset = Focus(adapter="focus", root=str(tmp_path), train_val_per_class=1, classes=("car", "dog"))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "trucks").mkdir()
    index = index_dataset(dataset)
    assert sum(row.class_name == "dog" for row in index.images) == 4
    assert "passed over 2 " in index.notes[0] and "__MACOSX" in index.notes[0] and "trucks" in index.notes[0]


# ---------------------------------------------------------------- files of operating systems


@pytest.mark.parametrize("layout", ["split folders", "class folders", "custom_coco"])
def test_files_of_operating_systems_are_passed_over_and_listed(tmp_path: Path, layout: str) -> None:
    if layout == "class folders":
        folder(tmp_path, "cup", "mug", splits=("",))
        dataset, places = photos(tmp_path, test_per_class=1), [tmp_path, tmp_path / "cup"]
    else:
        folder(tmp_path, "cup", "mug")
        dataset = photos(tmp_path)
        if layout == "custom_coco":
            dataset = CustomCoco(adapter="custom_coco", root=str(tmp_path))
        places = [tmp_path / "train-val", tmp_path / "test" / "cup"]
    clean = index_dataset(dataset)
    assert clean.notes == []
    for place in places:
        for name in JUNK:
            save(place / name / "a.png")
        for name in JUNK_FILES:
            (place / name).write_bytes(b"x")
    index = index_dataset(dataset)
    assert index.images == clean.images
    (note,) = index.notes
    assert f"passed over {2 * len(JUNK + JUNK_FILES)} " in note
    assert all((places[0] / name).as_posix() in note for name in (*JUNK, *JUNK_FILES))


def test_the_program_prints_what_was_passed_over_in_one_line(tmp_path: Path) -> None:
    folder(tmp_path, "cup", "mug")
    save(tmp_path / "train-val" / "stray.png")
    (tmp_path / "train-val" / "Icon\r").write_bytes(b"")
    command = [sys.executable, "workflow_scripts/index_dataset.py", "--output", tmp_path / "images.csv"]
    command += ["--skipped", tmp_path / "skipped.csv", "--settings"]
    settings = json.dumps({"dataset": photos(tmp_path).model_dump(mode="json")})
    run = subprocess.run([*command, settings], check=True, capture_output=True, text=True)
    (line,) = [line for line in run.stderr.splitlines() if "passed over" in line]
    assert line.startswith(f"{tmp_path}: passed over 2 ")
    assert "train-val/stray.png" in line and "train-val/Icon\\r" in line


# ---------------------------------------------------------------- classes that are missing


def test_a_single_class_is_an_error(tmp_path: Path) -> None:
    folder(tmp_path, "cup", "mug")
    assert "one class, `cup`, which every classifier gets right" in complaint(photos(tmp_path, classes=("cup",)))
    assert too_few_classes(["cup", "mug", "cup"]) == []
    assert too_few_classes(["cup", "cup"]) != []


@pytest.mark.parametrize("lines", ["path,split,class\n", "path,split\n\n,,\n"])
def test_a_split_table_without_rows_is_an_error(tmp_path: Path, lines: str) -> None:
    text = complaint(table(tmp_path, lines))
    assert text.splitlines()[1:] == [
        "  - the dataset has no images; add some, or list them in its annotations or its `split_table`"
    ]


def test_what_explains_why_there_are_no_images_stands_alone(tmp_path: Path) -> None:
    text = complaint(photos(tmp_path / "nowhere"))
    assert "no such folder" in text and "no images" not in text


def test_a_class_without_images_in_a_split_is_noted(tmp_path: Path) -> None:
    folder(tmp_path, "cup", "mug", "pan", splits=("train-val", "test", "val", "test_uncommon"))
    for split, name in (("test", "mug"), ("val", "mug"), ("val", "pan")):
        for file in (tmp_path / split / name).iterdir():
            file.unlink()
    index = index_dataset(photos(tmp_path, val="val"), shots=2)
    assert index.notes == [
        "`val` has no images of `mug`, `pan`; its mean accuracy leaves out classes without images. Add images, or list "
        "only the other classes in `classes`",
        "`test` has no images of `mug`; its mean accuracy leaves out classes without images. Add images, or list only "
        "the other classes in `classes`",
    ]


def test_many_classes_without_images_are_cut_short() -> None:
    images = [("train_val", f"{number:02}") for number in range(20)] + [("test", "00")]
    (note,) = split_gaps(images)
    assert "`10` and 9 more;" in note
    assert split_gaps(images[:-1]) == []


def test_a_class_without_shots_is_an_error_even_if_no_shots_are_asked_for(tmp_path: Path) -> None:
    lines = ["path,split"]
    for name in ("cup", "mug", "pan"):
        for split in ("train_val", "val", "test"):
            save(tmp_path / name / f"{split}.png")
            if (name, split) != ("mug", "train_val"):
                lines.append(f"{name}/{split}.png,{split}")
    (tmp_path / "splits.csv").write_text("\n".join(lines))
    text = complaint(photos(tmp_path, split_table=str(tmp_path / "splits.csv")))
    assert "the class `mug` has 0 readable train-val images" in text and "`cup`" not in text


# ---------------------------------------------------------------- tables of spreadsheets


def table(root: Path, content: str) -> ImageFolder:
    for name in ("cup", "mug"):
        for number in range(2):
            save(root / name / f"{number}.png", number)
    (root / "splits.csv").write_bytes(content.encode())
    return photos(root, split_table=str(root / "splits.csv"))


def test_headers_with_spaces_and_capitals_name_the_same_columns(tmp_path: Path) -> None:
    lines = ["\ufeffPath , SPLIT,Class ,", " cup/0.png,train_val,pan ,", "cup/1.png, test ,pan,", ",,,"]
    lines += ["mug/0.png,train_val,pot", "mug/1.png,test,pot,"]
    rows = index_dataset(table(tmp_path, "\r\n".join(lines))).images
    assert {row.class_name for row in rows} == {"pan", "pot"} and len(rows) == 4


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("path;split\ncup/0.png;test\n", "lacks the column path and split (it seems to use semicolons)"),
        ("path,split,split\ncup/0.png,test,test\n", "has the column split twice"),
        ("path,split,class\ncup/0.png,test,mug, red\n", "row 2: more values than columns"),
    ],
)
def test_tables_that_would_be_misread_are_reported(tmp_path: Path, content: str, part: str) -> None:
    assert part in complaint(table(tmp_path, content))


def test_a_table_that_cannot_be_opened_is_not_called_a_wrong_format(tmp_path: Path) -> None:
    dataset = table(tmp_path, "")
    (tmp_path / "splits.csv").unlink()
    (tmp_path / "splits.csv").mkdir()
    text = complaint(dataset)
    assert "splits.csv: cannot be opened (Is a directory)" in text and "UTF-8" not in text

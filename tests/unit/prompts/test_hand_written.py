"""Hand-written prompts: valid tables are read unchanged, and all problems are reported together with line numbers."""

from pathlib import Path

import pytest

from diagen.config import PromptTable
from diagen.config.programs import WritePromptsSettings
from diagen.errors import InputError
from diagen.prompts.hand_written import read_prompt_table
from diagen.prompts.prompts_file import PromptRow, write_prompts
from diagen.prompts.sources import lines_from_source

CLASSES = ["pine_tree", "car"]


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_prompt_table(path, CLASSES)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_valid_table_is_sorted_and_numbered(tmp_path: Path, encoding: str, newline: str) -> None:
    lines = [
        "prompt,class,remark",
        "a photo of a pine tree in snow,pine tree,",
        "",
        '"my Car, parked  at night",car,ours',
        "a pine tree,pine_tree,",
    ]
    assert read_prompt_table(table(tmp_path, newline.join(lines), encoding), CLASSES) == [
        PromptRow("car", 0, "my Car, parked at night"),
        PromptRow("pine_tree", 0, "a photo of a pine tree in snow"),
        PromptRow("pine_tree", 1, "a pine tree"),
    ]


def test_a_table_of_write_prompts_without_some_lines_is_valid(tmp_path: Path) -> None:
    rows = [PromptRow(name, number, f"{number} x {name}") for name in ("car", "cup") for number in range(3)]
    write_prompts(rows, tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines(keepends=True)
    (tmp_path / "p.csv").write_text("".join(lines[:1] + lines[2:]))
    assert read_prompt_table(tmp_path / "p.csv", ["car", "cup"])[:2] == [
        PromptRow("car", 0, "1 x car"),
        PromptRow("car", 1, "2 x car"),
    ]


def test_all_problems_are_reported_together_with_their_lines(tmp_path: Path) -> None:
    content = (
        "class,prompt\n"
        "car,a photo of a truck\n"
        "car,a car by a car\n"
        "car,a red car\n"
        "Car,a red car\n"
        "car,\n"
        ",a car\n"
        "car,a car, at night\n"
        "car,A Red Car\n"
        "pine_tre,a pine tree\n"
    )
    text = complaint(table(tmp_path, content))
    for part in (
        "line 2: the prompt `a photo of a truck` contains `car` 0 times",
        "line 3: the prompt `a car by a car` contains `car` 2 times",
        "line 5: the dataset has no class `Car`; did you mean `car`?",
        "line 6: no prompt",
        "line 7: no class",
        "line 8: more values than columns",
        "line 9: the prompt `A Red Car` is already in line 4",
        "line 10: the dataset has no class `pine_tre`; did you mean `pine_tree`?",
        "class `pine_tree` has no prompt",
        "9 problems",
    ):
        assert part in text
    assert "line 4:" not in text


def test_lines_are_counted_through_values_of_several_lines(tmp_path: Path) -> None:
    text = complaint(table(tmp_path, 'class,prompt\ncar,"a car\nat night"\npine_tree,a tree\ncar,"a red car\n'))
    assert (
        "line 2: a value spans several lines" in text
        and "line 4: the prompt `a tree`" in text
        and "line 5: a value" in text
    )


def test_classes_of_other_datasets_are_ignored_with_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = table(tmp_path, "class,prompt\ncar,a car\npine_tree,a pine tree\nelephant,an elephant\n")
    assert {row.class_name for row in read_prompt_table(path, CLASSES)} == set(CLASSES)
    assert "ignored classes that are not in this dataset: elephant" in capsys.readouterr().err


def test_files_that_are_not_tables_of_prompts(tmp_path: Path) -> None:
    assert "line 1 lacks the column prompt" in complaint(table(tmp_path, "class,text\ncar,a car\n"))
    assert "semicolons" in complaint(table(tmp_path, "class;prompt\ncar;a car\n"))
    assert "lacks the columns class and prompt" in complaint(table(tmp_path, ""))
    assert "UTF-8" in complaint(table(tmp_path, "class,prompt\ncar,a c\u00e4r\n", "latin-1"))


def test_unusual_prompts_are_kept_and_listed_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is the user's word, whatever a language model would not get away with."""
    prompts = ["a red car, a red house", "A car that you know", "a car by a truck", "a truck", "my truck"]
    names = ["car", "car", "car", "truck", "truck"]
    text = "".join(f'{name},"{prompt}"\n' for name, prompt in zip(names, prompts, strict=True))
    (tmp_path / "mine.csv").write_text("class,prompt\n" + text)
    block = WritePromptsSettings(prompts=PromptTable(source="table", file="mine.csv"))
    lines = list(lines_from_source(["car", "truck"], [tmp_path / "mine.csv"], block, threads=1, gpu=False))
    assert [(each.class_name, each.line, each.verdict) for each in lines] == [
        (name, prompt, "kept") for name, prompt in zip(names, prompts, strict=True)
    ]
    (message,) = capsys.readouterr().err.splitlines()
    assert message == (
        f"{tmp_path}/mine.csv: 2 of 5 prompts are unusual, and kept: repetition 1 (such as `a red car, a red house`), "
        "other_name 1 (such as `a car by a truck`); check them"
    )

"""The table of prompts, `prompts/<prompt_set>.csv`."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = ("class", "number", "prompt")


@dataclass(frozen=True)
class PromptRow:
    """Prompt `number` (from 0) of a class; `prompt` contains the class name in words, without underscores."""

    class_name: str
    number: int
    prompt: str


def write_prompts(rows: Iterable[PromptRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, atomically."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_prompts(path: Path) -> list[PromptRow]:
    """Read a table of prompts. Raises `InputError` if it is damaged."""
    return read_rows(
        path,
        COLUMNS,
        lambda values: PromptRow(values["class"], int(values["number"]), values["prompt"]),
    )

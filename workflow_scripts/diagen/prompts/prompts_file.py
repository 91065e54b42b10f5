"""Prompts that a language model writes for each class, in the paper's form (section 3.3).

`a photo of a [adjectives] <class> [weather, location, time of day]`: a grammar holds the model to the form, the words
are the model's own.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diagen.files.tables import read_rows, write_rows

if TYPE_CHECKING:
    pass

COLUMNS = ("class", "number", "prompt")


@dataclass(frozen=True)
class PromptRow:
    """The `number`-th prompt (from 0) of a class; in `prompt` the class name stands in words, without underscores."""

    class_name: str
    number: int
    prompt: str


# ---------------------------------------------------------------- table


def write_prompts(rows: Iterable[PromptRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_prompts(path: Path) -> list[PromptRow]:
    """Read a `prompts.csv`. Raises `InputError` when it is damaged."""
    return read_rows(
        path,
        COLUMNS,
        lambda values: PromptRow(values["class"], int(values["number"]), values["prompt"]),
    )

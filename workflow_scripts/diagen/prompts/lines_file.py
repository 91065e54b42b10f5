"""The table of all lines from a prompt set's source with the verdict on each, `prompts/<prompt_set>.lines.csv`."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import get_args

from diagen.files.tables import read_rows, write_rows
from diagen.prompts.judging import Reason

COLUMNS = ("class", "call", "line", "verdict")
KEPT = "kept"
SPARE = "spare"
VERDICTS = (KEPT, SPARE, *get_args(Reason))


@dataclass(frozen=True)
class WrittenLine:
    """A line from call `call` (from 0) for a class. `verdict` is `kept`, `spare` (not needed) or why it is refused."""

    class_name: str
    call: int
    line: str
    verdict: str


def lines_path(prompts: Path) -> Path:
    """The table of lines beside a table of prompts: `paper.lines.csv` beside `paper.csv`."""
    return prompts.with_name(f"{prompts.stem}.lines.csv")


def write_lines(lines: Iterable[WrittenLine], path: Path) -> None:
    """Write `lines` to the CSV file `path`, atomically."""
    write_rows(COLUMNS, map(astuple, lines), path)


def read_lines(path: Path) -> list[WrittenLine]:
    """Read a table of lines. Raises `DamagedFile`."""

    def parse(values: dict[str, str]) -> WrittenLine:
        if values["verdict"] not in VERDICTS:
            raise ValueError(f"unknown verdict {values['verdict']!r}")
        return WrittenLine(values["class"], int(values["call"]), values["line"], values["verdict"])

    return read_rows(path, COLUMNS, parse)

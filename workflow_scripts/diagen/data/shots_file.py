"""The table `shots.csv`: the role of each image in one cell."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from diagen.files.tables import read_rows, write_rows

COLUMNS = ("role", "class", "guide", "path", "sha256")
ROLES = ("guide", "val", "test", "test_uncommon")


@dataclass(frozen=True)
class Shot:
    """An image's role in one cell: `role` is one of `ROLES`, `guide` the 0-based number of a guide image or None."""

    role: str
    class_name: str
    guide: int | None
    path: str
    sha256: str


def write_shots(rows: Iterable[Shot], path: Path) -> None:
    """Write `rows` to the CSV file `path`, atomically."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_shots(path: Path) -> list[Shot]:
    """Read a `shots.csv`. Raises `InputError` if it is damaged."""
    return read_rows(path, COLUMNS, _row)


def _row(values: dict[str, str]) -> Shot:
    guide = int(values["guide"]) if values["guide"] else None
    if values["role"] not in ROLES or (values["role"] == "guide") != (guide is not None):
        raise ValueError(f"invalid role `{values['role']}` with guide number `{values['guide']}`")
    return Shot(values["role"], values["class"], guide, values["path"], values["sha256"])

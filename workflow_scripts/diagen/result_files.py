"""Files that one program writes and another reads: whole or not at all, and told by name if they were damaged since."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from diagen.atomic import atomic_path
from diagen.errors import InputError

Row = TypeVar("Row")


class DamagedFile(InputError):
    """The file at `path` isn't as its program wrote it; `reason` says how that shows."""

    def __init__(self, path: Path, program: str, reason: str) -> None:
        """Tell of the file at `path`, which `program` wrote."""
        super().__init__(
            f"{path} isn't as {program} wrote it ({reason}); `snakemake verify_results` says how to make it again"
        )
        self.path = path
        self.reason = reason


@contextmanager
def reading(path: Path, program: str, *errors: type[Exception]) -> Iterator[None]:
    """Inside, `path` is read: what shows that it isn't as `program` wrote it is told as a `DamagedFile`.

    That are errors of values, keys and types, and further `errors` that a format has for broken files.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, *errors) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise DamagedFile(path, program, reason) from None


def read_json(path: Path, program: str) -> Any:
    """The content of a JSON file that `program` wrote. Raises `DamagedFile`."""
    with reading(path, program):
        return json.loads(path.read_text("utf-8"))


def write_rows(columns: Sequence[str], rows: Iterable[Iterable[object]], path: Path) -> None:
    """Write a header and `rows` (values in the order of `columns`) to a CSV file, which appears whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_rows(path: Path, columns: Sequence[str], program: str, parse: Callable[[dict[str, str]], Row]) -> list[Row]:
    """The rows of a CSV file that `program` wrote, each made of its values by column by `parse`.

    Raises `DamagedFile` with the line of the first row that is cut or holds what `parse` can't take, or with all of
    `columns` that the file lacks.
    """
    rows = []
    with reading(path, program, csv.Error), open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ValueError(f"it lacks the column(s) {', '.join(missing)}")
        for values in reader:
            if None in values or None in values.values():
                raise ValueError(f"line {reader.line_num} hasn't a value for each column")
            try:
                rows.append(parse(values))
            except ValueError as error:
                raise ValueError(f"line {reader.line_num}: {error}") from None
    return rows

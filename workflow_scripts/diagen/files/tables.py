"""Tables, JSON and arrays that programs exchange: written atomically, checked when they are read."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from diagen.errors import InputError, delete_and_rerun
from diagen.files.atomic import atomic_path

if TYPE_CHECKING:  # the rules read tables and do not need numpy
    import numpy as np
    from numpy.typing import NDArray

Row = TypeVar("Row")
Content = TypeVar("Content")
UNEXPECTED = (ValueError, TypeError, AttributeError, LookupError, EOFError, RecursionError)
"""What Python raises for content of another kind."""


class DamagedFile(InputError):
    """The content of the file at `path` is not what the workflow writes there; `reason` describes the damage."""

    def __init__(self, path: Path, reason: str) -> None:
        """Compose the message: the file, the damage, and the command that removes the file."""
        # A table without its columns is more often another table than a damaged one.
        hint = "; check that the right table is named" if reason.startswith("missing columns") else ""
        super().__init__(f"{path}: damaged ({reason}{hint}). {delete_and_rerun(path)}")
        self.path = path
        self.reason = reason


@contextmanager
def reading(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Raise `DamagedFile` for errors that unexpected content of `path` causes inside the block.

    These are Python's own errors and further `errors` that a file format has. `InputError` passes, and so does
    `OSError` with a file name.
    """
    caught: tuple[type[Exception], ...] = (*UNEXPECTED, *errors)
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        # safetensors does not name the file.
        raise InputError(f"{path}: cannot be read ({error}). Check the path and its permissions") from None
    except InputError:
        raise
    except caught as error:
        reason = f"missing {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise DamagedFile(path, reason or type(error).__name__) from None


def read_json(path: Path, content: TypeAdapter[Content]) -> Content:
    """Read a JSON file. Raises `DamagedFile` if it does not validate as `content`."""
    with reading(path):
        try:
            return content.validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def read_features(path: Path) -> "NDArray[np.float32]":
    """Read the features `[images, D]`, float32 and finite, that `extract_features` wrote. Raises `DamagedFile`."""
    import numpy as np

    with reading(path, Exception):  # numpy parses headers as Python code, which can raise any error
        features = np.load(path, allow_pickle=False)
        if features.dtype != np.float32 or features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError("not a float32 table of finite numbers")
        return features


def write_rows(columns: Sequence[str], rows: Iterable[Iterable[object]], path: Path) -> None:
    """Write a header and `rows` (values in the order of `columns`) atomically to a CSV file."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_rows(path: Path, columns: Sequence[str], parse: Callable[[dict[str, str]], Row]) -> list[Row]:
    """Read a CSV file; `parse` turns the values of a line, by column, into a row.

    Raises `DamagedFile` with all `columns` that are missing, or with the number of the first line that is incomplete
    or that `parse` rejects with `ValueError`.
    """
    rows = []
    with reading(path, csv.Error):
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ValueError(f"missing columns: {', '.join(missing)}")
        for values in reader:
            if None in values or None in values.values():
                raise ValueError(f"line {reader.line_num} does not have one value per column")
            try:
                rows.append(parse(values))
            except ValueError as error:
                raise ValueError(f"line {reader.line_num}: {error}") from None
        if not text.endswith("\n"):
            raise ValueError("the last line is incomplete")
    return rows

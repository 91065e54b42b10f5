"""Files that one program writes and another reads: whole or not at all, and told by name if they were damaged since."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from diagen.errors import InputError
from diagen.files.atomic import atomic_path

if TYPE_CHECKING:  # the rules read tables, and have no need of numpy
    import numpy as np
    from numpy.typing import NDArray

Row = TypeVar("Row")
Content = TypeVar("Content")


class DamagedFile(InputError):
    """The file at `path` isn't as its program wrote it; `reason` says how that shows."""

    def __init__(self, path: Path, program: str, reason: str) -> None:
        """Tell of the file at `path`, which `program` wrote."""
        super().__init__(
            f"{path} isn't as {program} wrote it ({reason}); the target `verify_results` says how to make it again"
        )
        self.path = path
        self.reason = reason


@contextmanager
def reading(path: Path, program: str, *errors: type[Exception]) -> Iterator[None]:
    """Inside, `path` is read: what shows that it isn't as `program` wrote it is told as a `DamagedFile`.

    These are the errors that Python has for unexpected content, and further `errors` of a format for broken files.
    """
    try:
        yield
    except (OSError, InputError):
        raise
    except (ValueError, TypeError, AttributeError, LookupError, EOFError, RecursionError, *errors) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise DamagedFile(path, program, reason or type(error).__name__) from None


def read_json(path: Path, program: str, content: TypeAdapter[Content]) -> Content:
    """What a JSON file holds that `program` wrote. Raises `DamagedFile` where that isn't what `content` describes."""
    with reading(path, program):
        try:
            return content.validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def read_features(path: Path) -> "NDArray[np.float32]":
    """Features `[images, D]` that `extract_features` wrote, finite. Raises `DamagedFile`."""
    import numpy as np

    with reading(path, "extract_features", Exception):  # numpy reads headers by Python's parser, with all its errors
        features = np.load(path, allow_pickle=False)
        if features.dtype != np.float32 or features.ndim != 2 or not np.isfinite(features).all():
            raise ValueError("it holds no table of finite numbers")
        return features


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
    with reading(path, program, csv.Error):
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise ValueError(f"it lacks the column(s) {', '.join(missing)}")
        for values in reader:
            if None in values or None in values.values():
                raise ValueError(f"line {reader.line_num} hasn't a value for each column")
            try:
                rows.append(parse(values))
            except ValueError as error:
                raise ValueError(f"line {reader.line_num}: {error}") from None
        if not text.endswith("\n"):
            raise ValueError("its last line is cut")
    return rows

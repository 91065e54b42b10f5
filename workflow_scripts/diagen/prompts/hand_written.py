"""Prompts that were written or corrected by hand: a CSV file, checked completely before any image is generated."""

import csv
import difflib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from diagen.data.names import class_label
from diagen.errors import InputError, Problem
from diagen.letters import composed
from diagen.prompts.form import to_pseudo_word
from diagen.prompts.prompts_file import PromptRow

NEEDED = ("class", "prompt")
NEAR = 0.8  # similarity from which an unknown class counts as a typo


def read_prompt_table(path: Path, class_names: Sequence[str]) -> list[PromptRow]:
    """Read the prompts of a dataset's classes, sorted by class and numbered in the file's order.

    Class names may contain spaces. Columns other than `class` and `prompt` are ignored, such as the `number` of a table
    that write_prompts made. So are classes that the dataset lacks, unless they resemble one of its own: one file may
    serve several datasets. Raises `InputError`, which lists all problems of the file together, with line numbers.
    """
    problems: list[Problem] = []
    prompts: dict[str, list[str]] = {name: [] for name in sorted(class_names)}
    first: dict[tuple[str, str], int] = {}
    unknown: set[str] = set()
    for line, name, prompt in _rows(path, problems):
        label = class_label(name)
        if label not in prompts:
            unknown.add(label)
            problems += _misspelled(line, label, class_names)
            continue
        problem = _problem(prompt, label)
        before = first.setdefault((label, prompt.casefold()), line)
        if problem is None and before != line:
            problem = Problem(f"the prompt `{prompt}` is already in line {before}; change or remove it")
        if problem is not None:
            problems.append(Problem(f"line {line}: {problem}"))
        prompts[label].append(prompt)
    problems += [
        Problem(f"class `{name}` has no prompt; write at least one") for name, found in prompts.items() if not found
    ]
    if problems:
        raise InputError(
            f"{path}: {len(problems)} problem{'s' if len(problems) != 1 else ''} in the prompts:"
            + "".join(f"\n  - {problem}" for problem in problems)
        )
    if unknown:
        print(f"{path}: ignored classes that are not in this dataset: {', '.join(sorted(unknown))}", file=sys.stderr)
    return [PromptRow(name, number, text) for name, found in prompts.items() for number, text in enumerate(found)]


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, str, str]]:
    """Yield first line (from 1), class and prompt of each complete row; other rows are added to `problems`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it as CSV in UTF-8") from None
    # StringIO splits lines as text files do, and not at U+2028 and the like, which a prompt may contain.
    reader = csv.DictReader(io.StringIO(text))
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [column for column in NEEDED if column not in reader.fieldnames]
        if missing:
            hint = " (it seems to use semicolons)" if ";" in text.split("\n", 1)[0] else ""
            raise InputError(
                f"{path}: line 1 lacks the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)}{hint}; "
                "name the columns class and prompt there, separated by a comma"
            )
        line = reader.line_num + 1
        for row in reader:
            name, prompt = (" ".join(composed(row[column] or "").split()) for column in NEEDED)
            if None in row:
                problems.append(
                    Problem(f"line {line}: more values than columns; put prompts that contain commas in quotes")
                )
            elif "\n" in (row["prompt"] or "") or "\n" in (row["class"] or ""):
                problems.append(Problem(f"line {line}: a value spans several lines; close its quotation mark"))
            elif not name or not prompt:
                problems.append(
                    Problem(f"line {line}: no {'prompt' if name else 'class'}; write one or remove the line")
                )
            else:
                yield line, name, prompt
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(f"line {reader.line_num}: {error}; save the file as CSV again"))


def _problem(prompt: str, class_name: str) -> Problem | None:
    try:
        to_pseudo_word(prompt, class_name)
    except InputError as error:
        return Problem(str(error))
    return None


def _misspelled(line: int, label: str, class_names: Sequence[str]) -> list[Problem]:
    """The problem of an unknown class that resembles one of the dataset's classes."""
    known = {name.casefold(): name for name in class_names}
    close = difflib.get_close_matches(label.casefold(), known, n=1, cutoff=NEAR)
    if not close:
        return []
    return [Problem(f"line {line}: the dataset has no class `{label}`; did you mean `{known[close[0]]}`?")]

"""Prompts that were written or corrected by hand: a CSV file, checked wholly before any image is made from it."""

import csv
import difflib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from diagen.data.names import class_label
from diagen.errors import InputError
from diagen.prompts.form import to_pseudo_word
from diagen.prompts.prompts_file import PromptRow

NEEDED = ("class", "prompt")
NEAR = 0.8  # likeness from which an unknown class is taken for a slip of the pen


def read_prompt_table(path: Path, class_names: Sequence[str]) -> list[PromptRow]:
    """The prompts of the file for the classes of a dataset, sorted by class, numbered in the file's order.

    Classes may be written with spaces; other columns, such as the `number` of a table that write_prompts made, are
    passed over, and so are classes that the dataset lacks and that resemble none of its own (one file may serve several
    datasets). Raises `InputError`, which lists every problem of the file at once, with its line.
    """
    problems: list[str] = []
    prompts: dict[str, list[str]] = {name: [] for name in sorted(class_names)}
    first: dict[tuple[str, str], int] = {}
    unknown: set[str] = set()
    for line, name, prompt in _rows(path, problems):
        label = class_label(name)
        if label not in prompts:
            unknown.add(label)
            problems += _misspelt(line, label, class_names)
            continue
        problem = _problem(prompt, label)
        before = first.setdefault((label, prompt.casefold()), line)
        if problem is None and before != line:
            problem = f"the prompt `{prompt}` stands in line {before} already; change or remove it"
        if problem is not None:
            problems.append(f"line {line}: {problem}")
        prompts[label].append(prompt)
    problems += [f"class `{name}` has no prompt; write at least one" for name, found in prompts.items() if not found]
    if problems:
        raise InputError(
            f"{path}: {len(problems)} problem{'s' if len(problems) != 1 else ''} in the prompts"
            + "".join(f"\n  - {problem}" for problem in problems)
        )
    if unknown:
        print(f"{path}: passed over {', '.join(sorted(unknown))}, not in this dataset", file=sys.stderr)
    return [PromptRow(name, number, text) for name, found in prompts.items() for number, text in enumerate(found)]


def _rows(path: Path, problems: list[str]) -> Iterator[tuple[int, str, str]]:
    """First line (from 1), class and prompt of each row that has both; the others go into `problems`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text; save it as CSV in UTF-8") from None
    # Lines end as files of text have them: not at U+2028 and the like, which a prompt may hold.
    reader = csv.DictReader(io.StringIO(text))
    try:
        missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
        if missing:
            hint = " (its columns seem to be separated by semicolons)" if ";" in text.split("\n", 1)[0] else ""
            raise InputError(
                f"{path}: line 1 lacks the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)}{hint}; "
                "its first line must name the columns class and prompt, separated by a comma"
            )
        line = reader.line_num + 1
        for row in reader:
            name, prompt = (" ".join((row[column] or "").split()) for column in NEEDED)
            if None in row:
                problems.append(f"line {line}: more values than columns; put a prompt that holds commas in quotes")
            elif "\n" in (row["prompt"] or "") or "\n" in (row["class"] or ""):
                problems.append(f"line {line}: a value goes on over several lines; close its quotation mark")
            elif not name or not prompt:
                problems.append(f"line {line}: no {'prompt' if name else 'class'}; write one or remove the line")
            else:
                yield line, name, prompt
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: {error}; save the file as CSV again")


def _problem(prompt: str, class_name: str) -> str | None:
    try:
        to_pseudo_word(prompt, class_name)
    except InputError as error:
        return str(error)
    return None


def _misspelt(line: int, label: str, class_names: Sequence[str]) -> list[str]:
    """The sentence for an unknown class that resembles one of the dataset's."""
    known = {name.casefold(): name for name in class_names}
    close = difflib.get_close_matches(label.casefold(), known, n=1, cutoff=NEAR)
    if not close:
        return []
    return [f"line {line}: the dataset has no class `{label}`; did you mean `{known[close[0]]}`?"]

"""The reasons why jobs would run, parsed from the output of `snakemake --dry-run` and reworded."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

HASH = re.compile(r"[0-9a-f]{64}")
RULE = re.compile(r"^(?:local)?rule (\w+):$")
FIELD = re.compile(r"^    (\w+): (.*)$")
TEXT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
"""A string as Python prints it."""
PARAMS = re.compile(r"Params have changed since last execution: .*?before: (?P<before>.*?) now: (?P<now>.*)")
REASONS = (
    ("Missing output files", "its output is missing"),
    ("Input files updated by another job", "input: rewritten by another job"),
    ("Updated input files", "input: changed"),
    ("Set of input files has changed", "input: other files than before"),
    ("Code has changed", "code: the rule has changed"),
    ("Forced execution", "forced by --force"),
)
SOFTWARE = "Software environment definition has changed"
CODE = "code: modules that compute its result have changed (docs/reruns.md)"


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run: its rule, its wildcards by name, and its reasons."""

    rule: str
    wildcards: dict[str, str]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """The job in one line, followed by its reasons."""
        named = ", ".join(f"{name}={value}" for name, value in self.wildcards.items())
        return "\n    ".join((f"{self.rule} ({named})" if named else self.rule, *self.reasons))


def planned_jobs(dry_run: str) -> Iterator[PlannedJob]:
    """The jobs in the output of `snakemake --dry-run`, in its order, without the target `all`."""
    rule = ""
    values: dict[str, str] = {}
    for line in [*dry_run.splitlines(), "rule end:"]:
        if match := RULE.match(line):
            if rule and rule != "all":
                yield PlannedJob(rule, _wildcards(values.get("wildcards", "")), tuple(_reasons(values)))
            rule, values = match[1], {}
        elif match := FIELD.match(line):
            values[match[1]] = match[2].strip()


def _wildcards(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(", ") if "=" in pair)


def _reasons(values: dict[str, str]) -> Iterator[str]:
    text, software, _ = values.get("reason", "").partition(SOFTWARE)
    if software:
        yield "software: the environment has changed"
    if match := PARAMS.search(text):
        yield from _changes(_texts(match["before"]), _texts(match["now"]))
        text = text[: match.start()]
    for part in filter(None, text.split("; ")):
        start, _, files = part.partition(": ")
        words = next((words for beginning, words in REASONS if start.startswith(beginning)), part)
        yield f"{words}: {files}" if files and words.startswith("input") else words


def _texts(text: str) -> list[str]:
    return [ast.literal_eval(match) for match in TEXT.findall(text)]


def _changes(before: list[str], now: list[str]) -> Iterator[str]:
    """The differences between a job's former and present parameters, which Snakemake prints without names."""
    if any(HASH.fullmatch(text) for text in now):
        yield CODE
    old, new = (_flat([text for text in texts if not HASH.fullmatch(text)]) for texts in (before, now))
    differing = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    for key in differing:
        yield f"settings: {key}: {_shown(old, key)} -> {_shown(new, key)}"


def _flat(texts: list[str]) -> dict[str, Any]:
    """All values by dotted key; parameters that are not JSON objects have the key `arguments`."""
    values: dict[str, Any] = {}
    for text in texts:
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        values |= dict(_leaves(content, "")) if isinstance(content, dict) else {"arguments": text}
    return values


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _shown(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "(nothing)"

"""Mistakes in the configuration, told all at once: where, what, and the way out."""

import re

from diagen.letters import visible

ENDLESS = re.compile(r"(\S{300})\S+")


class ConfigError(Exception):
    """The configuration can't be used. Its text lists every problem with file, key and remedy."""

    def __init__(self, file: str, problems: list[str]) -> None:
        """Join `problems` (one line each, whatever stands in the file) under the name of the configuration `file`."""
        problems = [_line(problem) for problem in problems]
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(
            f"{file}: {count} in the configuration\n" + "\n".join(f"  - {problem}" for problem in problems)
        )
        self.file = file
        self.problems = problems


def _line(problem: str) -> str:
    """The problem as one line that any terminal can show."""
    return visible(ENDLESS.sub(r"\1...", problem).replace("\n", "\\n"))

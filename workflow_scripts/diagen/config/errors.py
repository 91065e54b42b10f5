"""Mistakes in the configuration, told all at once: where, what, and the way out."""


class ConfigError(Exception):
    """The configuration can't be used. Its text lists every problem with file, key and remedy."""

    def __init__(self, file: str, problems: list[str]) -> None:
        """Join `problems` (one line each) under the name of the configuration `file`."""
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        super().__init__(
            f"{file}: {count} in the configuration\n" + "\n".join(f"  - {problem}" for problem in problems)
        )
        self.file = file
        self.problems = problems

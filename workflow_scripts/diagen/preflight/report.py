"""The report of the checks before a run."""

from dataclasses import dataclass, field

from diagen.plurals import count

READY = "Ready to run."


@dataclass
class Report:
    """The result of the checks: facts in the order of the checks, warnings, and problems that would stop the run."""

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as printed, with the verdict at the end."""
        lines = [*self.facts, *(f"warning: {text}" for text in self.warnings)]
        lines += [f"problem: {text}" for text in self.problems]
        verdict = f"NOT READY: {count(len(self.problems), 'problem')}, see above." if self.problems else READY
        return "\n".join([*lines, verdict])

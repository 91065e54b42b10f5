"""Messages and documentation are written in plain present-day English (docs and code, not the tests)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = (
    "workflow_scripts",
    "rules",
    "docs",
    "report",
    "config",
    "profiles",
    "README.md",
    "CONTRIBUTING.md",
    "Snakefile",
)
ENDINGS = {".py", ".smk", ".md", ".rst", ".yaml", ".html", ""}
PROGRAMS = "|".join(path.stem for path in (ROOT / "workflow_scripts").glob("*.py"))
OLD_MANNER = {
    "tell": r"\b(told|tells)\b",
    "as it stands": r"\bas (it|they) stands?\b",
    "bear": r"\b(borne|bears)\b",
    "say so": r"\b(says|say) so\b",
    "a program's name as a remedy": rf"\b[Rr]un `?({PROGRAMS})`? again",
    "British spelling": r"(?i)\b\w*(colour|behaviour|neighbour|optimis|normalis|initialis|tokenis|summaris|licence)",
}


def files() -> list[Path]:
    """The project's own texts, without data and what a program generates."""
    found = [
        path for place in PLACES for path in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
    ]
    return sorted(
        path for path in found if path.is_file() and path.suffix in ENDINGS and "__pycache__" not in path.parts
    )


@pytest.mark.parametrize("manner", OLD_MANNER)
def test_no_text_is_in_the_old_manner(manner: str) -> None:
    pattern = re.compile(OLD_MANNER[manner])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line) and not line.startswith("RENAMED = ")  # names what old configurations hold
    ]
    assert not found, "\n".join(found)

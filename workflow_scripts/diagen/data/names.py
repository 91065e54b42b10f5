"""Class names: the labels that tables contain, and which names can be used."""

import unicodedata
from collections.abc import Collection, Mapping

from diagen.errors import Problem
from diagen.letters import JOINERS, composed, plain
from diagen.models.pseudo_words import class_words, pseudo_word

POOLED = "pooled"
"""The entry of `diversity.json` for all classes together."""
LONGEST = 80  # characters: a prompt must have room for more than the class name


def class_label(name: str) -> str:
    """The class name in tables: composed Unicode, plain quotes and hyphens, single underscores for spaces.

    All names enter here, from folders, tables, annotations and the configuration, so that they can be compared.
    """
    return class_words(plain(composed(name))).replace(" ", "_")


def wanted_labels(
    classes: Collection[str] | None, known: Collection[str], place: str
) -> tuple[set[str], list[Problem]]:
    """Labels of the configured `classes` (None: all that are `known`), and one problem for each unknown class.

    `place` is the file or folder that should contain them.
    """
    if classes is None:
        return set(known), []
    wanted = {class_label(name) for name in classes}
    available = ", ".join(sorted(known)) or "none"
    return wanted, [
        Problem(f"`classes`: `{name}` is not in {place}; available classes: {available}")
        for name in sorted(wanted - set(known))
    ]


def class_problems(places: Mapping[str, str]) -> list[Problem]:
    """One problem for each class name that cannot be used; `places` maps each label to its source, such as a folder.

    A name is part of prompts and of a learned word, where case and spacing do not count. It may contain all visible
    characters.
    """
    problems = []
    spellings: dict[str, list[str]] = {}
    for label, place in sorted(places.items()):
        problem = _name_problem(label)
        if problem:
            problems.append(Problem(f"{place}: the class name {problem}; rename the class"))
        spellings.setdefault(_spelling(label), []).append(place)
    for same in spellings.values():
        if len(same) > 1:
            problems.append(
                Problem(
                    f"{', '.join(same)}: class names that differ only in case or spacing, or in `<` and `‹`; use one "
                    "spelling for one class, and other names for different classes"
                )
            )
    return problems


def _name_problem(label: str) -> Problem | None:
    bad = sorted({letter for letter in label if not letter.isprintable() and letter not in JOINERS})
    if bad:
        return Problem(f"contains {' and '.join(f'the character {letter!r}' for letter in bad)}")
    if not any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in label):
        return Problem("contains no letter, digit or pictogram")
    if label == POOLED:
        return Problem(f"`{POOLED}` is reserved for all classes together")
    if len(label) > LONGEST:
        return Problem(f"has more than {LONGEST} characters")
    return None


def _spelling(label: str) -> str:
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", label) if letter not in JOINERS)
    return pseudo_word(seen).casefold()

"""Class names: how tables hold them, and which can be used."""

import unicodedata
from collections.abc import Collection, Mapping

from diagen.letters import JOINERS
from diagen.models.pseudo_words import class_words, pseudo_word

POOLED = "pooled"
"""What `diversity.json` calls all classes together."""
LONGEST = 80  # letters: a prompt must have room for more than the class name


def class_label(name: str) -> str:
    """The class name as tables hold it: composed Unicode (file systems differ), with single underscores for spaces."""
    return class_words(unicodedata.normalize("NFC", name)).replace(" ", "_")


def wanted_labels(classes: Collection[str] | None, known: Collection[str], place: str) -> tuple[set[str], list[str]]:
    """Labels of the classes to use, those asked for or all that are `known`; and a sentence for each unknown one.

    `place` says where they would have to be, such as "no folder in `photos/train-val`".
    """
    if classes is None:
        return set(known), []
    wanted = {class_label(name) for name in classes}
    there = ", ".join(sorted(known)) or "none"
    return wanted, [
        f"the class `{name}` of `classes` has {place}; there are: {there}" for name in sorted(wanted - set(known))
    ]


def class_problems(places: Mapping[str, str]) -> list[str]:
    """One sentence for each class name that can't be used; `places` says where each label stands, such as a folder.

    A name is spoken in prompts and stands in a learned word, in which case and spacing don't count. It may hold any
    letter that can be seen.
    """
    problems = []
    spellings: dict[str, list[str]] = {}
    for label, place in sorted(places.items()):
        wrong = _wrong_letters(label)
        if wrong:
            problems.append(f"{place} gives a class a name with {wrong}; rename it")
        spellings.setdefault(_spelling(label), []).append(place)
    for same in spellings.values():
        if len(same) > 1:
            problems.append(
                f"{' and '.join(same)} differ only in case or spacing, or as `<` and `‹` do; give the class one "
                "spelling, or other names to different classes"
            )
    return problems


def _wrong_letters(label: str) -> str | None:
    bad = sorted({letter for letter in label if not letter.isprintable() and letter not in JOINERS})
    if bad:
        return " and ".join(f"the character {letter!r}" for letter in bad)
    if not any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in label):
        return "no letter, digit or pictogram"
    if label == POOLED:
        return f"the meaning of all classes together (`{POOLED}`)"
    if len(label) > LONGEST:
        return f"more than {LONGEST} letters"
    return None


def _spelling(label: str) -> str:
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", label) if letter not in JOINERS)
    return pseudo_word(seen).casefold()

"""Prompts that a language model writes for each class, in the paper's form (section 3.3).

`a photo of a [adjectives] <class> [weather, location, time of day]`: a grammar holds the model to the form, the words
are the model's own.
"""

import re
from typing import TYPE_CHECKING

from diagen.errors import InputError
from diagen.letters import CONTROL
from diagen.models.pseudo_words import class_words, pseudo_word

if TYPE_CHECKING:
    pass
ADJECTIVES = 3  # words at most before the class name
SETTING_WORDS = 10  # words at most after it
LONGEST = 5_000  # letters of a prompt from anywhere
STEM = re.compile(r"a photo of an? ", re.IGNORECASE)
ENDINGS_CUT = frozenset("a an the in on at of by with under over near from to and or during through behind".split())
"""Words that no sentence ends with: the grammar's bound cut this one short."""
SOUNDS_LIKE_A_CONSONANT = re.compile(r"(uni|use|usu|uti|euro|eu|ewe|one|once|ubi)")
SOUNDS_LIKE_A_VOWEL = re.compile(r"(hour|honest|honou?r|heir)")


# ---------------------------------------------------------------- the text of a prompt


def to_pseudo_word(prompt: str, class_name: str) -> str:
    """The prompt with the class's pseudo-word in place of its name.

    Raises `InputError` unless the name is there exactly once, as whole words, in any case, and for what no prompt can
    hold: control characters, the pseudo-word itself, or more letters than a table's reader takes.
    """
    problem = _problem(prompt, class_name)
    if problem is not None:
        raise InputError(problem)
    ((start, end),) = _mentions(prompt, class_name)
    return prompt[:start] + pseudo_word(class_name) + prompt[end:]


def _problem(prompt: str, class_name: str) -> str | None:
    """Why the class's pseudo-word can't be put into the prompt, as a sentence with the remedy."""
    if len(prompt) > LONGEST:
        return f"the prompt `{prompt[:80]}...` has {len(prompt)} letters; {LONGEST} are possible, and fewer are read"
    if CONTROL.search(prompt):
        return f"the prompt `{prompt}` holds control characters; remove them"
    if pseudo_word(class_name) in prompt:
        return (
            f"the prompt `{prompt}` holds `{pseudo_word(class_name)}`, the learned word; write the class name instead"
        )
    mentions = len(_mentions(prompt, class_name))
    if mentions != 1:
        return (
            f"the prompt `{prompt}` holds `{class_words(class_name)}` {mentions} times; "
            "a prompt must hold its class name exactly once"
        )
    return None


def is_valid(prompt: str, class_name: str) -> bool:
    """Whether the prompt has the paper's form: its beginning with the right article, the class name exactly once,
    no more words than asked for, and an end that is one."""
    words = prompt.split()
    longest = 4 + ADJECTIVES + len(class_words(class_name).split()) + SETTING_WORDS
    return (
        STEM.match(prompt) is not None
        and prompt == with_article(prompt)
        and _problem(prompt, class_name) is None
        and len(words) <= longest
        and words[-1] not in ENDINGS_CUT
    )


def with_article(prompt: str) -> str:
    """The prompt with `a` or `an` at its beginning as the sound of the next word asks."""
    return STEM.sub(f"a photo of {article(STEM.sub('', prompt, count=1))} ", prompt, count=1)


def article(following: str) -> str:
    """`a` or `an`, as the sound of the text that follows asks."""
    following = following.lower()
    vowel = following[:1] in tuple("aeiou") and not SOUNDS_LIKE_A_CONSONANT.match(following)
    return "an" if vowel or SOUNDS_LIKE_A_VOWEL.match(following) else "a"


def _mentions(prompt: str, class_name: str) -> list[tuple[int, int]]:
    """Where the class name stands in the prompt; in `a photo of a photo` the form's own words don't count."""
    stem = STEM.match(prompt)
    name = r"\s+".join(re.escape(word) for word in class_words(class_name).split())
    pattern = re.compile(rf"(?<!\w){name}(?!\w)", re.IGNORECASE)
    return [match.span() for match in pattern.finditer(prompt, stem.end() if stem else 0)]

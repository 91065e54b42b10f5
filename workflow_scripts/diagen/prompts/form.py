"""The paper's form of a prompt (section 3.3): `a photo of a [adjectives] <class> [weather, location, time of day]`."""

import re
from typing import Literal

from diagen.errors import InputError, Problem
from diagen.letters import CONTROL, composed, plain
from diagen.models.pseudo_words import class_words, pseudo_word

ADJECTIVES = 3  # words at most before the class name
SETTING_WORDS = 10  # words at most after it
LONGEST = 5_000  # characters of a prompt from any source
STEM = re.compile(r"a photo of an? ", re.IGNORECASE)
ENDINGS_CUT = frozenset("a an the in on at of by with under over near from to and or during through behind".split())
"""Words that do not end a sentence: a prompt that ends with one was cut off by the grammar's bound."""
SOUNDS_LIKE_A_CONSONANT = re.compile(r"(uni|use|usu|uti|euro|eu|ewe|one|once|ubi)")
SOUNDS_LIKE_A_VOWEL = re.compile(r"(hour|honest|honou?r|heir)")


def to_pseudo_word(prompt: str, class_name: str) -> str:
    """Replace the class name in the prompt with the class's pseudo-word.

    The prompt comes back in composed Unicode. Raises `InputError` unless it contains the name exactly once, as whole
    words in any case, whichever quotes and hyphens it uses, and if it contains control characters, the pseudo-word
    itself, or more characters than the reader of a table accepts.
    """
    prompt = composed(prompt)
    problem = _problem(prompt, class_name)
    if problem is not None:
        raise InputError(problem)
    ((start, end),) = _mentions(prompt, class_name)
    return prompt[:start] + pseudo_word(class_name) + prompt[end:]


def name_span(prompt: str, class_name: str) -> tuple[int, int] | None:
    """Start and end of the class name in a prompt in composed Unicode; None where `to_pseudo_word` raises."""
    if _problem(prompt, class_name) is not None:
        return None
    (span,) = _mentions(prompt, class_name)
    return span


def _problem(prompt: str, class_name: str) -> Problem | None:
    """Why the pseudo-word cannot be inserted into the prompt, which is in composed Unicode, or None."""
    if len(prompt) > LONGEST:
        return Problem(f"the prompt `{prompt[:80]}...` has {len(prompt)} characters; shorten it to {LONGEST} or fewer")
    if CONTROL.search(prompt):
        return Problem(f"the prompt `{prompt}` contains control characters; remove them")
    if pseudo_word(class_name) in prompt:
        return Problem(
            f"the prompt `{prompt}` contains the learned word `{pseudo_word(class_name)}`; write the class name instead"
        )
    mentions = len(_mentions(prompt, class_name))
    if mentions != 1:
        return Problem(
            f"the prompt `{prompt}` contains `{class_words(class_name)}` {mentions} times; "
            "write the class name exactly once"
        )
    return None


def form_fault(prompt: str, class_name: str) -> Literal["form", "cut_off", "too_long"] | None:
    """How a prompt departs from the paper's form, or None.

    It starts with the stem and the right article, contains the class name exactly once, has no more words around the
    name than the form allows, and is not cut off after it.
    """
    prompt = composed(prompt)
    stem, span = STEM.match(prompt), name_span(prompt, class_name)
    if stem is None or span is None or prompt != with_article(prompt):
        return "form"
    before, after = prompt[stem.end() : span[0]].split(), prompt[span[1] :].split()
    if after and after[-1] in ENDINGS_CUT:
        return "cut_off"
    return "too_long" if len(before) > ADJECTIVES or len(after) > SETTING_WORDS else None


def with_article(prompt: str) -> str:
    """The prompt with the right article, `a` or `an`, in its stem."""
    return STEM.sub(f"a photo of {article(STEM.sub('', prompt, count=1))} ", prompt, count=1)


def article(following: str) -> str:
    """`a` or `an`, by the sound of the text that follows."""
    following = following.lower()
    vowel = following[:1] in tuple("aeiou") and not SOUNDS_LIKE_A_CONSONANT.match(following)
    return "an" if vowel or SOUNDS_LIKE_A_VOWEL.match(following) else "a"


def _mentions(prompt: str, class_name: str) -> list[tuple[int, int]]:
    """Start and end of each mention of the class name after the stem: in `a photo of a photo` there is one.

    `prompt` is in composed Unicode, so that the places are those in the text that is compared.
    """
    stem = STEM.match(prompt)
    name = r"\s+".join(re.escape(word) for word in class_words(plain(composed(class_name))).split())
    pattern = re.compile(rf"(?<!\w){name}(?!\w)", re.IGNORECASE)
    return [match.span() for match in pattern.finditer(plain(prompt), stem.end() if stem else 0)]

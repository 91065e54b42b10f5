"""Prompts from an endpoint with OpenAI's protocol, such as the paper's GPT-4 (section 3.3)."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from diagen.config import EndpointPrompts
from diagen.errors import InputError, Problem
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import collect, fill_instruction, lines_of_classes
from diagen.prompts.judging import Judge
from diagen.prompts.lines_file import WrittenLine
from diagen.prompts.refusals import FEW_LINES
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion

TIMEOUT = 120.0  # seconds for one answer
RETRIES = 5  # of calls that were rate-limited or lost
LABEL = re.compile(
    r"^[\W\d_]*(?:[^\W\d_]+ *(?:\d{1,3}[\W_]*|[*_]*:[\W_]*))?(?=a photo of an? )|^\s*(?:\d{1,3}[.):]|[-*•])\s+",
    re.IGNORECASE,
)
"""What precedes a prompt in its line: a number, a bullet, or a word with a number or colon, as in `**Prompt 1:** `."""
SURROUNDING = " \t\"'`*_.,;"
PLAIN = str.maketrans("‘’‚‛′“”„‟″‐‑‒–—―−", "'" * 5 + '"' * 5 + "-" * 7)
"""Typographic quotation marks, hyphens and dashes, each by the character of a keyboard."""
REMEDIES = {
    FEW_LINES: Problem("raise `max_tokens` of the prompt set if it is set, have the instruction ask for one line each"),
}
"""Remedies of an endpoint."""


def connect(settings: EndpointPrompts, environment: Mapping[str, str]) -> "OpenAI":
    """Create a client of the endpoint, with the key in the variable `settings.key_variable` of `environment`.

    Raises `InputError` if the variable is not set.
    """
    from openai import OpenAI

    key = "none"  # the client requires a key even if the endpoint does not
    if settings.key_variable is not None:
        key = environment.get(settings.key_variable, "").strip()
        if not key:
            raise InputError(
                f"{settings.base_url}: the environment variable {settings.key_variable} contains no key; set it before "
                f"Snakemake starts (export {settings.key_variable}=...), or set `key_variable: null` if the endpoint "
                "needs no key"
            )
    return OpenAI(base_url=settings.base_url, api_key=key, timeout=TIMEOUT, max_retries=RETRIES)


def write_endpoint_prompts(
    client: "OpenAI", class_names: Sequence[str], template: str, settings: EndpointPrompts
) -> Iterator[WrittenLine]:
    """Yield the lines of each class, `settings.per_class` of them kept, in the order of `class_names`.

    Answers of an endpoint are not reproducible for certain, even with a seed; the model that the endpoint reports is
    printed to standard error. Raises `InputError`, naming endpoint and remedy, if the endpoint refuses or cannot be
    reached, and, naming the class, if `settings.attempts` calls do not return enough prompts.
    """
    printed: set[str] = set()

    def lines_of(class_name: str) -> list[WrittenLine]:
        number = settings.per_class + settings.spare
        instruction = fill_instruction(template, class_name, number, settings.instruction)

        def answer(attempt: int) -> list[str]:
            completion = _call(client, instruction, settings, number, (class_name, attempt))
            if completion.model not in printed:
                print(
                    f"write_prompts: {settings.base_url} answers with {completion.model}", file=sys.stderr, flush=True
                )
                printed.add(completion.model)
            choice = completion.choices[0]
            return answer_lines(choice.message.content or "", choice.finish_reason == "length", class_name)

        judge = Judge(class_name, class_names, instruction)
        return collect(answer, settings.per_class, settings.attempts, judge, REMEDIES)

    yield from lines_of_classes(class_names, lines_of)


def answer_lines(text: str, cut: bool, class_name: str) -> list[str]:
    """The lines of an answer, without labels, quotation marks and periods, and without the last if `cut`.

    Typographic quotation marks and hyphens become plain ones, except in the class name, which is written as it is.
    """
    plain = text.translate(PLAIN)
    name = class_words(class_name)
    if name != name.translate(PLAIN):
        plain = re.sub(re.escape(name.translate(PLAIN)), lambda _: name, plain, flags=re.IGNORECASE)
    lines = plain.split("\n")[:-1] if cut else plain.split("\n")
    return [stripped for line in lines if (stripped := LABEL.sub("", line).strip(SURROUNDING))]


def _call(
    client: "OpenAI", instruction: str, settings: EndpointPrompts, number: int, seed_parts: tuple[str | int, ...]
) -> "ChatCompletion":
    """Request one answer with at least one choice; options that the settings leave to the endpoint are not sent."""
    from openai import OpenAIError, omit

    try:
        completion = client.chat.completions.create(
            model=settings.model,
            messages=[{"role": "user", "content": instruction}],
            temperature=omit if settings.temperature is None else settings.temperature,
            top_p=omit if settings.top_p is None else settings.top_p,
            max_tokens=omit if settings.max_tokens is None else settings.max_tokens * number,
            seed=omit if settings.seed is None else stable_seed(settings.seed, *seed_parts, "prompts"),
        )
    except OpenAIError as error:
        # Some endpoints repeat the key that they refuse.
        message = str(error) if settings.key_variable is None else str(error).replace(client.api_key, "***")
        problem = " ".join(message.split()).rstrip(".")
        raise InputError(f"{settings.base_url}: {problem}; {_remedy(error, settings)}") from None
    if not getattr(completion, "choices", None):
        raise InputError(
            f"{settings.base_url}: the answer is not a chat completion; correct `base_url`, which usually ends with /v1"
        )
    return completion


def _remedy(error: Exception, settings: EndpointPrompts) -> Problem:
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return Problem(f"check the key in the environment variable {settings.key_variable} and its permissions")
    if status == 404:
        return Problem(f"check `base_url`, and whether the endpoint has the model {settings.model}")
    if status == 429:
        return Problem("the key has no quota left at the moment; run Snakemake again later")
    if status in (400, 422):
        return Problem(
            "remove what the endpoint does not accept: `temperature`, `top_p` or `max_tokens`, or set `seed: null`"
        )
    return Problem("check `base_url` and the network, and run Snakemake again")

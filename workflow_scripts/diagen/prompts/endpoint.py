"""Prompts from an endpoint with OpenAI's protocol, such as the paper's GPT-4 (section 3.3)."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diagen.config import EndpointPrompts
from diagen.errors import InputError, Problem
from diagen.letters import plain, visible
from diagen.prompts.collection import collect, fill_instruction, lines_of_classes
from diagen.prompts.judging import Judge
from diagen.prompts.lines_file import WrittenLine
from diagen.prompts.refusals import FEW_LINES
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from openai import OpenAI

TIMEOUT = 120.0  # seconds for one answer
RETRIES = 5  # of calls that were rate-limited or lost
LABEL = re.compile(
    r"^[\W\d_]*"
    r"(?:[^\W\d_]+(?:[ .#]*(?:(?:no|number)[ .#]+)?\d{1,3}[\W_]*| *[*_]*:[\W_]*)|[^\W\d_][.)][\W_]*)?"
    r"(?=a photo of an? )|^\s*(?:\d{1,3}[.):]|[-*•])\s+",
    re.IGNORECASE,
)
"""What precedes a prompt in its line: a number, a bullet, a letter, or a word with a number or colon.

Such as `**Prompt 1:** `, `Caption No. 1: `, `Prompt #3: `, `a. ` and `| 1 | `.
"""
SURROUNDING = " \t\r\"'`*_.,;|"
REMEDIES = {
    FEW_LINES: Problem("raise `max_tokens` of the prompt set if it is set, have the instruction ask for one line each"),
}
"""Remedies of an endpoint."""
OTHER_REQUEST = Problem("change the instruction or the `model` of the prompt set")
"""The remedy for answers that an endpoint withholds."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered: the `model` that it names, its `text`, and whether the text was `cut` off.

    `problem` is what the endpoint reported instead of a text, with a remedy, and empty if it reported nothing.
    """

    model: str
    text: str
    cut: bool
    problem: Problem


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
        remedies = dict(REMEDIES)

        def answer(attempt: int) -> list[str]:
            given = _call(client, instruction, settings, number, (class_name, attempt))
            if given.model not in printed:
                print(f"write_prompts: {settings.base_url} answers with {given.model}", file=sys.stderr, flush=True)
                printed.add(given.model)
            if given.problem:
                remedies[FEW_LINES] = given.problem
            return answer_lines(given.text, given.cut)

        judge = Judge(class_name, class_names, instruction)
        return collect(answer, settings.per_class, settings.attempts, judge, remedies)

    yield from lines_of_classes(class_names, lines_of)


def answer_lines(text: str, cut: bool) -> list[str]:
    """The lines of an answer, without labels, quotation marks and periods, and without the last if `cut`.

    The drafts of a reasoning model, up to `</think>` or from an open `<think>` on, are no part of its answer.
    Typographic quotation marks and hyphens become plain ones.
    """
    lines = plain(text.rpartition("</think>")[2].partition("<think>")[0]).split("\n")
    return [stripped for line in (lines[:-1] if cut else lines) if (stripped := LABEL.sub("", line).strip(SURROUNDING))]


def _call(
    client: "OpenAI", instruction: str, settings: EndpointPrompts, number: int, seed_parts: tuple[str | int, ...]
) -> Answer:
    """Request one answer; options that the settings leave to the endpoint are not sent."""
    from openai import OpenAIError, omit

    try:
        # The library checks no types, so the answer is read from its text.
        response = client.chat.completions.with_raw_response.create(
            model=settings.model,
            messages=[{"role": "user", "content": instruction}],
            temperature=omit if settings.temperature is None else settings.temperature,
            top_p=omit if settings.top_p is None else settings.top_p,
            max_tokens=omit if settings.max_tokens is None else settings.max_tokens * number,
            seed=omit if settings.seed is None else stable_seed(settings.seed, *seed_parts, "prompts"),
        )
        return _read_answer(response.text, settings)
    except (OpenAIError, InputError) as error:
        # Some endpoints repeat the key that they refuse.
        message = str(error) if settings.key_variable is None else str(error).replace(client.api_key, "***")
        if isinstance(error, OpenAIError):
            remedy = _remedy(getattr(error, "status_code", None), settings)
            message = f"{_sentence(message)}; {remedy or 'check `base_url` and the network, and run Snakemake again'}"
        raise InputError(f"{settings.base_url}: {message}") from None


def _read_answer(body: str, settings: EndpointPrompts) -> Answer:
    """Read the body of a successful response.

    Raises `InputError`, without the endpoint's address, if the body reports an error, or is no chat completion.
    """
    fields = _json_object(body)
    choice = _first(fields.get("choices"))
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text = _text(message.get("content"))
    error = choice.get("error") or fields.get("error")
    if error and not text:
        code = error.get("code") if isinstance(error, dict) else None
        remedy = _remedy(code, settings) or Problem("run Snakemake again later")
        raise InputError(f"the endpoint reports an error: {_reported(error)}; {remedy}")
    if not choice:
        raise InputError("the answer is not a chat completion; correct `base_url`, which usually ends with /v1")
    reason = choice.get("finish_reason")
    problem = _why_withheld(text, message.get("refusal"), reason)
    model = str(fields.get("model") or "a model that it does not name")
    return Answer(model, text, reason in ("length", "content_filter", "error"), problem)


def _why_withheld(text: str, refusal: object, reason: object) -> Problem:
    """What the endpoint reports about a text that it withheld, with a remedy; empty if it withheld nothing."""
    if refusal:
        return Problem(f"the endpoint reports a refusal: {_reported(refusal)}; {OTHER_REQUEST}")
    if reason == "content_filter" or (not text and reason != "length"):
        return Problem(f"the endpoint reports `finish_reason: {_reported(reason)}`; {OTHER_REQUEST}")
    return Problem("")


def _json_object(body: str) -> dict[str, Any]:
    """The object in the body; empty if there is another value or a text that is not JSON. Raises `InputError`."""
    try:
        value = json.loads(body)
    except ValueError:
        if body.lstrip().startswith("{"):
            raise InputError("the answer is not valid JSON and may be cut off; run Snakemake again") from None
        return {}
    return value if isinstance(value, dict) else {}


def _first(choices: object) -> dict[str, Any]:
    """The first of the choices; empty if there is none."""
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _text(content: object) -> str:
    """The text of a message's content, which is a string, a list of parts, or null."""
    if isinstance(content, list):
        return "".join(_text(part.get("text") if isinstance(part, dict) else part) for part in content)
    return content if isinstance(content, str) else ""


def _reported(error: object) -> str:
    """What an endpoint says about an error, which is a text or has a `message`."""
    message = error.get("message") if isinstance(error, dict) else error
    return _sentence(str(message or error))


def _sentence(text: str) -> str:
    """The text in one line, without a period, as a part of a message."""
    return visible(" ".join(text.split()).rstrip("."))


def _remedy(status: object, settings: EndpointPrompts) -> Problem | None:
    """What helps against an error with this HTTP status; `None` if the status does not say."""
    match status:
        case 401 | 403 if settings.key_variable is None:
            return Problem("set `key_variable` to the environment variable that contains the endpoint's key")
        case 401 | 403:
            return Problem(f"check the key in the environment variable {settings.key_variable} and its permissions")
        case 402:
            return Problem("the account of the key has no credits left; add some, and run Snakemake again")
        case 404:
            return Problem(f"check `base_url`, and whether the endpoint has the model {settings.model}")
        case 429:
            return Problem("the key has no quota left at the moment; run Snakemake again later")
        case 400 | 422:
            return Problem(
                "remove what the endpoint does not accept: `temperature`, `top_p` or `max_tokens`, or set `seed: null`"
            )
    return None

"""Prompts from an endpoint that speaks OpenAI's protocol, such as the paper's GPT-4 (section 3.3)."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from diagen.config import EndpointPrompts
from diagen.errors import InputError
from diagen.prompts.collection import collect, fill_instruction, prompt_rows
from diagen.prompts.prompts_file import PromptRow
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from openai import OpenAI

TIMEOUT = 120.0  # seconds for one answer
RETRIES = 5  # of calls that were refused for their number, or lost on the way
BULLET = re.compile(r"^\s*(?:\d{1,3}[.):]|[-*•])\s+")
AROUND = " \t\"'`“”‘’*_.,;"


def connect(settings: EndpointPrompts, environment: Mapping[str, str]) -> "OpenAI":
    """A client of the endpoint, with the key that `environment` holds under `settings.key_variable`.

    Raises `InputError` when the variable isn't set.
    """
    from openai import OpenAI

    key = "none"  # the client wants one even where the endpoint asks for none
    if settings.key_variable is not None:
        key = environment.get(settings.key_variable, "").strip()
        if not key:
            raise InputError(
                f"{settings.base_url}: the environment variable {settings.key_variable} holds no key; set it before "
                "snakemake starts, or set `key_variable: null` for an endpoint that asks for none"
            )
    return OpenAI(base_url=settings.base_url, api_key=key, timeout=TIMEOUT, max_retries=RETRIES)


def write_endpoint_prompts(
    client: "OpenAI", class_names: Sequence[str], template: str, settings: EndpointPrompts
) -> Iterator[PromptRow]:
    """`settings.per_class` distinct, valid prompts for each class, in the order of `class_names`.

    What an endpoint answers can't be repeated for certain, seed or not; the model that it says it used is told on
    standard error. Raises `InputError` naming endpoint and remedy when it refuses or can't be reached, and naming the
    class when `settings.attempts` calls don't yield enough.
    """
    told: set[str] = set()

    def prompts_of(class_name: str) -> list[str]:
        number = settings.per_class + settings.spare
        instruction = fill_instruction(template, class_name, number, settings.instruction)

        def answer(attempt: int) -> list[str]:
            given = _call(client, instruction, settings, number, (class_name, attempt))
            if given.model not in told:
                print(f"write_prompts: {settings.base_url} answers with {given.model}", file=sys.stderr, flush=True)
                told.add(given.model)
            return answer_lines(given.choices[0].message.content or "", given.choices[0].finish_reason == "length")

        return collect(class_name, answer, settings.per_class, settings.attempts, settings.instruction)

    yield from prompt_rows(class_names, prompts_of)


def answer_lines(text: str, cut: bool) -> list[str]:
    """The lines of an answer, without numbers, bullets, quotation marks and full stops; a `cut` one lacks its last."""
    lines = text.split("\n")[:-1] if cut else text.split("\n")
    return [stripped for line in lines if (stripped := BULLET.sub("", line).strip(AROUND))]


def _call(
    client: "OpenAI", instruction: str, settings: EndpointPrompts, number: int, seed_parts: tuple[str | int, ...]
) -> Any:
    """One answer with at least one choice. What the settings leave to the endpoint isn't sent."""
    from openai import OpenAIError

    options = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens and settings.max_tokens * number,
        "seed": None if settings.seed is None else stable_seed(settings.seed, *seed_parts, "prompts"),
    }
    try:
        answer = client.chat.completions.create(
            model=settings.model,
            messages=[{"role": "user", "content": instruction}],
            **{name: value for name, value in options.items() if value is not None},
        )
    except OpenAIError as error:
        told = str(error) if settings.key_variable is None else str(error).replace(client.api_key, "***")
        problem = " ".join(told.split()).rstrip(".")  # some repeat the key that they refuse
        raise InputError(f"{settings.base_url}: {problem}; {_remedy(error, settings)}") from None
    if not getattr(answer, "choices", None):
        raise InputError(
            f"{settings.base_url}: the answer is no chat completion; correct `base_url`, which mostly ends with /v1"
        )
    return answer


def _remedy(error: Exception, settings: EndpointPrompts) -> str:
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return f"check the key in the environment variable {settings.key_variable}, and what it may use"
    if status == 404:
        return f"check `base_url`, and whether the endpoint has the model {settings.model}"
    if status == 429:
        return "the key has no quota left for now; try again later"
    if status in (400, 422):
        return "leave out what the endpoint doesn't take: `temperature`, `top_p`, `max_tokens`, or `seed: null`"
    return "check `base_url` and the network, and try again"

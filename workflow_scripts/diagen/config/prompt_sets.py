"""Prompt sets (section 3.3), one block per source of prompts."""

from typing import Annotated, Literal, TypeGuard
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator

from diagen.config.base import NUMBER, Block, NaturalInt, PlannedPath, PositiveFloat, PositiveInt, Probability, Seed


class LlamaPrompts(Block):
    """Prompts that the local language model `models.llama` writes for each class (section 3.3)."""

    source: Literal["llama"] = Field("llama", description="Source of the prompts.")
    per_class: PositiveInt = Field(10, le=1000, description="Distinct prompts per class (paper: 10).")
    instruction: PlannedPath = Field(description="Template file with `{num_prompts}` and `{class_name}`.")
    temperature: PositiveFloat = Field(0.8, le=5.0, description="Sampling temperature.")
    top_p: PositiveFloat = Field(0.95, le=1.0, description="Nucleus sampling mass.")
    top_k: PositiveInt = Field(40, description="Sample from this many of the likeliest tokens.")
    min_p: Probability = Field(
        0.05, description="Sample from tokens with at least this share of the likeliest one's probability."
    )
    repeat_penalty: PositiveFloat = Field(
        1.1, le=2.0, description="Divisor of the scores of the last 64 tokens; 1 for none."
    )
    max_tokens: PositiveInt = Field(40, description="Limit on the tokens of one prompt.")
    attempts: PositiveInt = Field(8, description="Largest number of calls of the model per class.")
    seed: Seed = Field(0, description="Seed of the sampling.")


class ComposedPrompts(Block):
    """Prompts `a photo of a <adjective> <class> in a <setting>`: `models.llama` writes adjectives and settings in
    separate calls (published code, for Llama)."""

    source: Literal["composed"] = Field(description="Source of the prompts.")
    per_class: PositiveInt = Field(10, le=1000, description="Distinct prompts per class (paper: 10).")
    adjectives: PlannedPath = Field(
        description="Template file that asks for adjectives, like `instruction` of other sources."
    )
    settings: PlannedPath = Field(
        description="Template file that asks for settings, like `instruction` of other sources."
    )
    temperature: PositiveFloat = Field(0.8, le=5.0, description="Sampling temperature.")
    top_p: PositiveFloat = Field(0.95, le=1.0, description="Nucleus sampling mass.")
    top_k: PositiveInt = Field(10, description="Sample from this many of the likeliest tokens (published code: 10).")
    min_p: Probability = Field(
        0.0, description="Sample from tokens with at least this share of the likeliest one's probability."
    )
    repeat_penalty: PositiveFloat = Field(
        1.0, le=2.0, description="Divisor of the scores of the last 64 tokens; 1 for none."
    )
    max_tokens: PositiveInt = Field(16, description="Limit on the tokens of one adjective or setting.")
    attempts: PositiveInt = Field(8, description="Largest number of pairs of calls of the model per class.")
    seed: Seed = Field(0, description="Seed of the sampling.")


class EndpointPrompts(Block):
    """Prompts from an endpoint with OpenAI's protocol, such as the paper's GPT-4."""

    source: Literal["endpoint"] = Field(description="Source of the prompts.")
    base_url: str = Field(description="Address of the endpoint up to its version, such as `https://api.openai.com/v1`.")
    model: str = Field(min_length=1, description="Model name at the endpoint, preferably with its date or version.")
    key_variable: str | None = Field(
        "OPENAI_API_KEY",
        pattern=r"^[A-Z][A-Z0-9_]{0,63}$",
        description="Environment variable with the key, which is stored nowhere; null if the endpoint needs none.",
    )
    per_class: PositiveInt = Field(10, description="Distinct prompts per class (paper: 10).")
    spare: NaturalInt = Field(0, description="Prompts requested in each call beyond `per_class` (published code: 5).")
    instruction: PlannedPath = Field(description="Template file with `{num_prompts}` and `{class_name}`.")
    temperature: Annotated[float, Field(ge=0, le=5), NUMBER] | None = Field(
        None, description="Sampling temperature; the endpoint's default if omitted."
    )
    top_p: Annotated[float, Field(gt=0, le=1), NUMBER] | None = Field(
        None, description="Nucleus sampling mass; the endpoint's default if omitted."
    )
    max_tokens: PositiveInt | None = Field(None, description="Limit on the tokens of one prompt; not sent if omitted.")
    attempts: PositiveInt = Field(8, description="Largest number of calls of the model per class.")
    seed: Seed | None = Field(0, description="Seed sent with each call; null for endpoints that reject one.")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError("not a URL; give one such as https://api.openai.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "the URL contains more than an address; remove user, password, query and fragment, and put a key "
                "into the environment variable that `key_variable` names"
            )
        return value


class PromptTable(Block):
    """Prompts from a CSV file written or corrected by hand."""

    source: Literal["table"] = Field(description="Source of the prompts.")
    file: PlannedPath = Field(
        description="CSV file with the columns `class` and `prompt`, any number of prompts per class."
    )


def _source(value: object) -> str:
    """The tag of a prompt set, which selects its class; `llama` if it has no `source`."""
    source = value.get("source", "llama") if isinstance(value, dict) else getattr(value, "source", "llama")
    return source if isinstance(source, str) else "llama"


PromptSet = Annotated[
    Annotated[LlamaPrompts, Tag("llama")]
    | Annotated[ComposedPrompts, Tag("composed")]
    | Annotated[EndpointPrompts, Tag("endpoint")]
    | Annotated[PromptTable, Tag("table")],
    Discriminator(
        _source,
        custom_error_type="unknown_source",
        custom_error_message="unknown `source`; choose one of llama, composed, endpoint and table",
    ),
]

FILES = {
    LlamaPrompts: ("instruction",),
    ComposedPrompts: ("adjectives", "settings"),
    EndpointPrompts: ("instruction",),
    PromptTable: ("file",),
}


def asks_llama(block: Block) -> TypeGuard[LlamaPrompts | ComposedPrompts]:
    """Whether a prompt set needs the local language model."""
    return isinstance(block, LlamaPrompts | ComposedPrompts)


def prompt_files(block: LlamaPrompts | ComposedPrompts | EndpointPrompts | PromptTable) -> dict[str, str]:
    """The input files of a prompt set, by the keys that name them."""
    return {field: getattr(block, field) for field in FILES[type(block)]}

"""Prompt sets (section 3.3), each with the source that its prompts come from."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator

from diagen.config.base import NUMBER, Block, NaturalInt, PlannedPath, PositiveFloat, PositiveInt, Seed


class LlamaPrompts(Block):
    """Prompts that the local language model `models.llama` writes for each class (section 3.3)."""

    source: Literal["llama"] = Field("llama", description="Where the prompts come from.")
    per_class: PositiveInt = Field(10, le=1000, description="Distinct prompts per class (paper: 10).")
    instruction: PlannedPath = Field(description="Template file with `{num_prompts}` and `{class_name}`.")
    temperature: PositiveFloat = Field(0.8, le=5.0, description="Sampling temperature.")
    top_p: PositiveFloat = Field(0.95, le=1.0, description="Nucleus sampling mass.")
    top_k: PositiveInt = Field(40, description="Sample among this many likeliest tokens.")
    max_tokens: PositiveInt = Field(40, description="Bound on the tokens of one prompt.")
    attempts: PositiveInt = Field(8, description="Calls of the model per class before giving up.")
    seed: Seed = Field(0, description="Seed of the sampling.")


class ComposedPrompts(Block):
    """Prompts `a photo of a <adjective> <class> in a <setting>`: `models.llama` is asked for adjectives and for
    settings separately (published code, for Llama)."""

    source: Literal["composed"] = Field(description="Where the prompts come from.")
    per_class: PositiveInt = Field(10, le=1000, description="Distinct prompts per class (paper: 10).")
    adjectives: PlannedPath = Field(
        description="Template file that asks for adjectives; as `instruction` of other sources."
    )
    settings: PlannedPath = Field(
        description="Template file that asks for settings; as `instruction` of other sources."
    )
    temperature: PositiveFloat = Field(0.8, le=5.0, description="Sampling temperature.")
    top_p: PositiveFloat = Field(0.95, le=1.0, description="Nucleus sampling mass.")
    top_k: PositiveInt = Field(10, description="Sample among this many likeliest tokens (published code: 10).")
    max_tokens: PositiveInt = Field(16, description="Bound on the tokens of one adjective or setting.")
    attempts: PositiveInt = Field(8, description="Pairs of calls of the model per class before giving up.")
    seed: Seed = Field(0, description="Seed of the sampling.")


class EndpointPrompts(Block):
    """Prompts from an endpoint that speaks OpenAI's protocol, such as the paper's GPT-4."""

    source: Literal["endpoint"] = Field(description="Where the prompts come from.")
    base_url: str = Field(description="Address of the endpoint up to its version, such as `https://api.openai.com/v1`.")
    model: str = Field(min_length=1, description="Model name as the endpoint knows it, best with its date or version.")
    key_variable: str | None = Field(
        "OPENAI_API_KEY",
        pattern=r"^[A-Z][A-Z0-9_]{0,63}$",
        description="Environment variable that holds the key, which is written nowhere; null if none is asked for.",
    )
    per_class: PositiveInt = Field(10, description="Distinct prompts per class (paper: 10).")
    spare: NaturalInt = Field(0, description="Prompts asked for beyond `per_class` in each call (published code: 5).")
    instruction: PlannedPath = Field(description="Template file with `{num_prompts}` and `{class_name}`.")
    temperature: Annotated[float, Field(ge=0, le=5), NUMBER] | None = Field(
        None, description="Sampling temperature; the endpoint's own when left out."
    )
    top_p: Annotated[float, Field(gt=0, le=1), NUMBER] | None = Field(
        None, description="Nucleus sampling mass; the endpoint's own when left out."
    )
    max_tokens: PositiveInt | None = Field(
        None, description="Bound on the tokens of one prompt; none is sent when left out."
    )
    attempts: PositiveInt = Field(8, description="Calls of the model per class before giving up.")
    seed: Seed | None = Field(0, description="Seed sent with each call; null for endpoints that refuse one.")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError("this is no address; give one such as https://api.openai.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("give the plain address; a key belongs into the environment (see `key_variable`)")
        return value


class PromptTable(Block):
    """Prompts from a CSV file that was written or corrected by hand."""

    source: Literal["table"] = Field(description="Where the prompts come from.")
    file: PlannedPath = Field(
        description="CSV file with the columns `class` and `prompt`, any number of prompts per class."
    )


def _source(value: Any) -> str:
    """The tag of a prompt set; those that name none have a language model write."""
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
        custom_error_message="unknown `source`; there are llama, composed, endpoint and table",
    ),
]

FILES = {
    LlamaPrompts: ("instruction",),
    ComposedPrompts: ("adjectives", "settings"),
    EndpointPrompts: ("instruction",),
    PromptTable: ("file",),
}


def asks_llama(block: Block) -> bool:
    """Whether a prompt set's source is the local language model."""
    return isinstance(block, LlamaPrompts | ComposedPrompts)


def prompt_files(block: LlamaPrompts | ComposedPrompts | EndpointPrompts | PromptTable) -> dict[str, str]:
    """The files that a prompt set is made from, by the keys that name them."""
    return {field: getattr(block, field) for field in FILES[type(block)]}

"""The base class of all blocks of the configuration, and the types of their fields."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints

from diagen.letters import CONTROL

LARGEST = 10**9
LONGEST_TEXT = 100_000
SNAKEMAKE_BRACKETS = "{}<>"
"""In the path of an input or output, Snakemake reads names in braces and angle brackets as its own variables."""
REPEATED = re.compile(r"(.+)\1{19}$")
"""Snakemake takes such a name for the trace of an endless loop."""


class Block(BaseModel):
    """A block of the configuration: immutable, and an unknown key in it is an error."""

    # A length limit makes pydantic validate texts as Unicode: lone surrogates, which JSON cannot hold, are refused.
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, str_max_length=LONGEST_TEXT
    )


def _not_boolean(value: object) -> object:
    if isinstance(value, bool):  # a subclass of int, which pydantic accepts as 1 or 0
        raise ValueError(
            "expected a number, got a boolean (YAML reads yes, no, on and off as booleans); write a number"
        )
    return value


def _within_bounds(value: int) -> int:
    if value > LARGEST:
        raise ValueError(f"larger than {LARGEST:,}; choose a smaller number")
    return value


def _distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a value is listed twice; remove one of them")
    return values


def _unrepeated(name: str) -> str:
    if REPEATED.search(name):
        raise ValueError("the name repeats a part so often that Snakemake detects an endless loop; choose another name")
    return name


def _path(path: str) -> str:
    if not path:
        raise ValueError("empty path; give a path, or `.` for the working directory")
    if CONTROL.search(path):
        raise ValueError("the path contains control characters; remove them")
    return path


def _planned_path(path: str) -> str:
    found = [letter for letter in SNAKEMAKE_BRACKETS if letter in path]
    if found:
        letters = " and ".join(f"`{letter}`" for letter in found)
        raise ValueError(f"the path contains {letters}, which Snakemake reads as variables; rename the file or folder")
    return path


WORD, OTHER = "<word>", "<other>"
"""Tags of the two kinds of values of `or_word`, which pydantic inserts into the places of errors."""


def or_word(word: str) -> Any:
    """The discriminator of a union of the literal `word`, tagged `WORD`, and another type, tagged `OTHER`.

    Without it, pydantic reports an invalid value once for each type.
    """
    return Discriminator(lambda value: WORD if value == word else OTHER)


BlockName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64),
    AfterValidator(_unrepeated),
]
"""The name of a block: letters, digits and underscores only, since it becomes a file or folder name."""

FilePath = Annotated[str, AfterValidator(_path)]
"""A file or folder that programs read; its name may contain spaces, quotes and other shell characters."""
PlannedPath = Annotated[FilePath, AfterValidator(_planned_path)]
"""A file or folder that is also an input or output of a rule."""

# The validator comes last: pydantic omits constraints that follow a validator from the schema.
NUMBER = BeforeValidator(_not_boolean)
PositiveInt = Annotated[int, Field(ge=1), AfterValidator(_within_bounds), NUMBER]
NaturalInt = Annotated[int, Field(ge=0), AfterValidator(_within_bounds), NUMBER]
Probability = Annotated[float, Field(ge=0.0, le=1.0), NUMBER]
PositiveFloat = Annotated[float, Field(gt=0.0), NUMBER]
NaturalFloat = Annotated[float, Field(ge=0), NUMBER]
GuidanceScale = Annotated[float, Field(ge=1.0), NUMBER]
DISTINCT = AfterValidator(_distinct)
Seed = Annotated[int, Field(ge=0, lt=2**31), NUMBER]

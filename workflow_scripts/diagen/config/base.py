"""What all blocks of the configuration have in common."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from diagen.letters import CONTROL

LARGEST = 10**9
LONGEST_TEXT = 100_000
OF_SNAKEMAKE = "{}<>"
"""Snakemake reads names in braces and angle brackets, in the path of an input or output, as its own variables."""
REPEATED = re.compile(r"(.+)\1{19}$")
"""What Snakemake takes, in a name, for the trace of an endless loop."""


class Block(BaseModel):
    """A block of the configuration: immutable, and an unknown key in it is an error."""

    # A bound on texts has pydantic look into them: it refuses halves of letters, which JSON can't hold.
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, str_max_length=LONGEST_TEXT
    )


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):  # which Python takes for 1 or 0, and pydantic follows it
        raise ValueError("true and false (in YAML also yes, no, on and off) are no numbers; give one")
    return value


def _within_bounds(value: int) -> int:
    if value > LARGEST:
        raise ValueError(f"at most {LARGEST:,} is possible; give a smaller number")
    return value


def _unrepeated(name: str) -> str:
    if REPEATED.search(name):
        raise ValueError(
            "the name repeats itself so often that Snakemake takes it for an endless loop; choose another one"
        )
    return name


def _path(path: str) -> str:
    if not path:
        raise ValueError("empty; give a path, or `.` for the folder where snakemake starts")
    if CONTROL.search(path):
        raise ValueError("no path holds control characters; take them out")
    return path


def _planned_path(path: str) -> str:
    found = [letter for letter in OF_SNAKEMAKE if letter in path]
    if found:
        letters = " and ".join(f"`{letter}`" for letter in found)
        raise ValueError(
            f"the path holds {letters}, which Snakemake takes for variables of its own; rename the file or folder"
        )
    return path


BlockName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64),
    AfterValidator(_unrepeated),
]
"""The name of a block: it becomes a file or folder name, hence letters, digits and underscores only."""

FilePath = Annotated[str, AfterValidator(_path)]
"""A file or folder that programs read; its name may hold spaces, quotes and all that shells know."""
PlannedPath = Annotated[FilePath, AfterValidator(_planned_path)]
"""A file or folder that Snakemake watches too."""

# The validator stands last: pydantic puts bounds that follow one into no schema.
NUMBER = BeforeValidator(_no_truth)
PositiveInt = Annotated[int, Field(ge=1), AfterValidator(_within_bounds), NUMBER]
NaturalInt = Annotated[int, Field(ge=0), AfterValidator(_within_bounds), NUMBER]
Probability = Annotated[float, Field(ge=0.0, le=1.0), NUMBER]
PositiveFloat = Annotated[float, Field(gt=0.0), NUMBER]
NaturalFloat = Annotated[float, Field(ge=0), NUMBER]
GuidanceScale = Annotated[float, Field(ge=1.0), NUMBER]
Seed = Annotated[int, Field(ge=0, lt=2**31), NUMBER]

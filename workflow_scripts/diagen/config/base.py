"""What all blocks of the configuration have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Block(BaseModel):
    """A block of the configuration: immutable, and an unknown key in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


BlockName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$", max_length=64)]
"""The name of a block: it becomes a file or folder name, hence letters, digits and underscores only."""

PositiveInt = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]

"""The images of a cell by role, with labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diagen.config.choices import Selection
from diagen.data.shots_file import ROLES, Shot
from diagen.errors import InputError, delete_and_rerun, rm


@dataclass(frozen=True)
class CellImages:
    """The images of a cell by role, in the order of shots.csv.

    By role: `paths`, `hashes` (SHA-256 of the files) and `labels` (positions in `classes`, int64 `[n]`). `guides` holds
    the numbers of the guide images. `table` is the shots.csv that lists them, for errors.
    """

    classes: tuple[str, ...]
    paths: dict[str, list[str]]
    hashes: dict[str, list[str]]
    labels: dict[str, Tensor]
    guides: list[int]
    table: Path

    @property
    def splits(self) -> list[str]:
        """The splits to evaluate: all roles except `guide`."""
        return [role for role in self.paths if role != "guide"]

    def class_names(self, role: str) -> list[str]:
        """The class of each image of a role."""
        return [self.classes[label] for label in self.labels[role].tolist()]

    def validates(self, selection: Selection) -> bool:
        """Whether a training that keeps this epoch uses the validation images.

        With `last`, it does so only if each class has one: the loss of some classes says little of the others. Raises
        `InputError` for `best` without any.
        """
        labels = self.labels.get("val", torch.empty(0))
        if selection == "best" and not len(labels):
            raise InputError(
                f"{self.table}: no val images, by which `selection: best` finds an epoch. Add images to train-val, "
                f"delete the file and run Snakemake again: {rm(self.table)}; or set `selection: last`"
            )
        return selection == "best" or len(labels.unique()) == len(self.classes)


def arrange(shots: Sequence[Shot], file: Path) -> CellImages:
    """Group the rows of the `shots.csv` `file` by role. Raises `InputError` without guide images."""
    rows = {role: [row for row in shots if row.role == role] for role in ROLES}
    if not rows["guide"]:
        raise InputError(
            f"{file}: no guide images. Add images to train-val, delete the file and run Snakemake again: {rm(file)}"
        )
    classes = tuple(sorted({row.class_name for row in rows["guide"]}))
    return CellImages(
        classes,
        {role: [row.path for row in found] for role, found in rows.items() if found},
        {role: [row.sha256 for row in found] for role, found in rows.items() if found},
        {role: labels_of([row.class_name for row in found], classes, file) for role, found in rows.items() if found},
        [row.guide for row in rows["guide"] if row.guide is not None],
        file,
    )


def labels_of(class_names: Iterable[str], classes: Sequence[str], file: Path) -> Tensor:
    """Positions in `classes`, int64 `[n]`. Raises `InputError` for a class that is not among them."""
    numbers = {name: number for number, name in enumerate(classes)}
    try:
        return torch.tensor([numbers[name] for name in class_names], dtype=torch.long)
    except KeyError as error:
        raise InputError(f"{file}: class {error} has no guide image. {delete_and_rerun(file)}") from None

"""What the pictures of the report show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from diagen.config import Generator, Method


@dataclass(frozen=True)
class PicturesSettings:
    """The datasets, cells and generators of an experiment whose images are shown.

    `methods` has the generator and weighting of each method with synthetic images, `generators` the generators in the
    order in which their images are shown. The map of features shows the images of the method `primary`, and those of
    DA-Fusion. `ladder` is the generator whose noise the noise ladder shows; without it there is none. `seeds` are those
    of the cells: with `folds`, repeat * folds + fold.
    """

    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    shots: tuple[int, ...]
    methods: dict[str, tuple[str, str | None]]
    generators: dict[str, Generator]
    primary: str | None
    ladder: str | None
    folds: int = 1

    @classmethod
    def of(
        cls,
        *,
        datasets: tuple[str, ...],
        cell_seeds: tuple[int, ...],
        shots: tuple[int, ...],
        methods: Mapping[str, Method],
        generators: Mapping[str, Generator],
        primary: str | None,
        ladder: str | None,
        folds: int,
    ) -> Self:
        """Derive the settings from blocks of the configuration; generators that no method uses are left out."""
        drawing = {name: (method.generator, method.weighting) for name, method in methods.items() if method.generator}
        used = {name: generators[name] for name in dict.fromkeys(generator for generator, _ in drawing.values())}
        return cls(datasets, cell_seeds, shots, drawing, used, primary, ladder, folds)

    def draw(self, seed: int) -> str:
        """What readers call the draw of training photos in the cells of `seed`: `seed 2`, or `repeat 0, fold 2`."""
        if self.folds == 1:
            return f"seed {seed}"
        repeat, fold = divmod(seed, self.folds)
        return f"fold {fold}" if len(self.seeds) == self.folds else f"repeat {repeat}, fold {fold}"

"""The whole configuration of an experiment, and which of its blocks the methods use."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, Tag, model_validator

from diagen.config.base import DISTINCT, OTHER, WORD, Block, BlockName, PositiveInt, Seed, or_word
from diagen.config.blocks import (
    Diversity,
    Downstream,
    Embedding,
    Execution,
    Generator,
    GuideClassifier,
    Method,
    NoiseCeiling,
    Weighting,
)
from diagen.config.comparison import REAL_BASELINES, STANDARD, Comparison, baseline_of, primary_of
from diagen.config.datasets import Dataset, Evaluation, ImageFolder, Leakage
from diagen.config.models import Models
from diagen.config.prompt_sets import PromptSet

REFERENCES = {
    "generator": "generators",
    "weighting": "weightings",
    "recipe": "recipes",
    "embedding": "embeddings",
    "prompts": "prompts",
    "noise_ceiling": "noise_ceilings",
    "guide_classifier": "guide_classifiers",
}
"""The keys of blocks that name another block, and the section of that block."""


class Config(Block):
    """A whole experiment."""

    experiment: BlockName = Field(description="Name of the folder under `results/`.")
    datasets: dict[BlockName, Dataset] = Field(min_length=1, description="Datasets by name.")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), DISTINCT] = Field(
        (0, 1, 2), description="Seeds of the few-shot splits (paper: 0, 1, 2)."
    )
    shots: Annotated[
        Annotated[Literal["all"], Tag(WORD)]
        | Annotated[tuple[PositiveInt, ...], Field(min_length=1), DISTINCT, Tag(OTHER)],
        or_word("all"),
    ] = Field(
        (2, 4, 8),
        description="Guide images per class (paper: 2, 4, 8). `all`: as many as each class has for training, at most "
        "`guide_pool`.",
    )
    guide_pool: PositiveInt = Field(
        8, description="Images per class reserved as guide images; the other train-val images validate."
    )
    evaluation: Evaluation | None = Field(
        None, description="Cross-validation of datasets with `test: none`; without it, nothing is tested on them."
    )
    models: Models
    embeddings: dict[BlockName, Embedding] = Field({}, description="Textual Inversion settings by name.")
    prompts: dict[BlockName, PromptSet] = Field({}, description="Prompt sets by name.")
    noise_ceilings: dict[BlockName, NoiseCeiling] = Field({}, description="Noise ceilings by name.")
    generators: dict[BlockName, Generator] = Field({}, description="Generators by name.")
    guide_classifiers: dict[BlockName, GuideClassifier] = Field({}, description="Guide classifiers by name.")
    weightings: dict[BlockName, Weighting] = Field({}, description="Weightings by name.")
    methods: dict[BlockName, Method] = Field(min_length=1, description="Methods to compare, by name.")
    downstream: Downstream = Downstream()
    recipes: dict[BlockName, Downstream] = Field(
        {}, description="Alternatives to `downstream` by name; keys that one omits have the values of `downstream`."
    )
    comparison: Comparison = Comparison()
    diversity: Diversity = Diversity()
    leakage: Leakage = Leakage()
    execution: Execution = Execution()

    @model_validator(mode="before")
    @classmethod
    def _complete_recipes(cls, values: Any) -> Any:
        """Fill in the keys that recipes omit."""
        if not isinstance(values, Mapping):
            return values
        common, recipes = values.get("downstream"), values.get("recipes")
        if not isinstance(common, Mapping) or not isinstance(recipes, Mapping):
            return values
        complete = {name: {**common, **own} if isinstance(own, Mapping) else own for name, own in recipes.items()}
        return {**values, "recipes": complete}

    @property
    def folds(self) -> int:
        """The parts into which each class's images are divided; 1 without cross-validation.

        Raises `ValueError` for `leave_one_out`, until `diagen.data.photo_list.with_counted_folds` counts the images.
        """
        if self.evaluation is None:
            return 1
        if isinstance(self.evaluation.folds, str):
            raise ValueError("`leave_one_out` is no number yet; get one from `with_counted_folds`")
        return self.evaluation.folds

    @property
    def cell_seeds(self) -> tuple[int, ...]:
        """The seeds of cells: `seed * folds + fold` for each seed and fold, which without folds are the seeds."""
        return tuple(seed * self.folds + fold for seed in self.seeds for fold in range(self.folds))

    @property
    def takes_all_shots(self) -> bool:
        """Whether each class gives all images that it has for training, at most the number in `shot_counts`."""
        return isinstance(self.shots, str)

    @property
    def shot_counts(self) -> tuple[int, ...]:
        """The numbers of shots; with `shots: all` the largest one of a class, `guide_pool`."""
        return (self.guide_pool,) if isinstance(self.shots, str) else self.shots

    @property
    def required_shots(self) -> int:
        """The guide images that each class must have."""
        return 1 if isinstance(self.shots, str) else max(self.shots)

    @property
    def untested_datasets(self) -> list[str]:
        """The datasets without test images and without cross-validation."""
        return [
            name
            for name, dataset in self.datasets.items()
            if isinstance(dataset, ImageFolder) and dataset.test is None and self.evaluation is None
        ]

    @property
    def needs_validation(self) -> bool:
        """Whether a classifier keeps its best epoch, which takes validation images.

        Blocks that no method uses do not count, nor do recipes if no dataset is tested.
        """
        selections = {self.guide_classifiers[name].selection for name in self.used_blocks()["guide_classifiers"]}
        if len(self.untested_datasets) < len(self.datasets):
            selections |= {self.recipe_of(method).selection for method in self.methods}
        return "best" in selections

    def recipe_of(self, method: str) -> Downstream:
        """The recipe of `method`'s downstream classifier."""
        name = self.methods[method].recipe
        return self.recipes[name] if name else self.downstream

    @property
    def compared_methods(self) -> tuple[str, ...]:
        """The names of all classifiers that are compared: the methods, then the baselines on real photos."""
        return (*self.methods, *REAL_BASELINES)

    @property
    def baseline(self) -> str:
        """The method that the primary method is compared with."""
        return baseline_of(self.comparison, tuple(self.methods))

    @property
    def primary(self) -> str | None:
        """The primary method; `None` if the baseline is the only method."""
        return primary_of(self.comparison, tuple(self.methods))

    @property
    def baselines(self) -> tuple[str, ...]:
        """The methods that every other one is compared with: `baseline`, and `standard` if there is one."""
        return tuple(dict.fromkeys((self.baseline, *(name for name in self.methods if name == STANDARD))))

    def used_blocks(self) -> dict[str, list[str]]:
        """Names of the blocks that the methods use, directly or not, by section, in the order of their first use."""
        used: dict[str, list[str]] = {section: [] for section in REFERENCES.values()}
        blocks: list[Block] = list(self.methods.values())
        for block in blocks:  # grows in the loop
            for _, section, name in references(block):
                if name not in used[section]:
                    used[section].append(name)
                    blocks.append(getattr(self, section)[name])
        return used

    def weighted_sets(self) -> list[tuple[str, str]]:
        """The pairs of generator and weighting by which methods draw synthetic images."""
        pairs = ((method.generator, method.weighting) for method in self.methods.values())
        return list(dict.fromkeys((generator, weighting) for generator, weighting in pairs if generator and weighting))

    def ladder_generator(self) -> str | None:
        """The generator whose noise the noise ladder shows: that of the last method with noise, if any has."""
        used = [method.generator for method in self.methods.values() if method.generator]
        return next((name for name in reversed(used) if any(self.generators[name].noise_levels)), None)

    def ladder_levels(self) -> tuple[float, ...]:
        """The levels of the noise ladder: 0, its generator's, then doubled ones up to 8 times the largest; or none."""
        name = self.ladder_generator()
        if name is None:
            return ()
        levels = sorted({0.0, *self.generators[name].noise_levels})
        return (*levels, *(levels[-1] * factor for factor in (2, 4, 8)))


def references(block: Block) -> list[tuple[str, str, str]]:
    """Key, section and name of each other block that `block` names."""
    named = ((key, section, getattr(block, key, None)) for key, section in REFERENCES.items())
    return [(key, section, name) for key, section, name in named if name is not None]

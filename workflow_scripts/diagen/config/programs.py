"""The settings of each program: exactly the values that it uses, so that only their change reruns it."""

from argparse import ArgumentTypeError
from typing import Self

from pydantic import ValidationError, field_validator

from diagen.config.base import Block
from diagen.config.blocks import Downstream, Embedding, Generator, GuideClassifier, Method, Weighting
from diagen.config.choices import CeilingUse, NoiseDraw, Normalize, Transform, Turns, ViewAugmentation, WordMatch
from diagen.config.datasets import Dataset
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, Models
from diagen.config.prompt_sets import PromptSet


class ProgramSettings(Block):
    """The settings of a program, passed as JSON in `--settings`."""

    @classmethod
    def from_argument(cls, text: str) -> Self:
        """Parse the argument. Raises `ArgumentTypeError`, which argparse reports, with all problems of the text."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problems = [(".".join(map(str, detail["loc"])), detail["msg"]) for detail in error.errors()]
            listed = "; ".join(f"`{key}`: {message}" if key else message for key, message in problems)
            raise ArgumentTypeError(
                f"{listed}. Copy a job's settings from `.venv/bin/snakemake --dry-run --forceall --printshellcmds`"
            ) from None


class DownloadModelsSettings(ProgramSettings):
    """Settings of `download_models.py`."""

    models: Models


class IndexDatasetSettings(ProgramSettings):
    """Settings of `index_dataset.py`."""

    dataset: Dataset


class DrawShotsSettings(ProgramSettings):
    """Settings of `draw_shots.py`, the arguments of the function of that name."""

    guide_pool: int
    folds: int = 1
    validation: bool = True
    all_shots: bool = False


class AuditLeakageSettings(ProgramSettings):
    """Settings of `audit_leakage.py`."""

    near_distance: float


class LearnEmbeddingsSettings(ProgramSettings):
    """Settings of `learn_embeddings.py`.

    Words are learned with float32 weights, whatever precision `models.diffusion` gives for generation.
    """

    embedding: Embedding
    diffusion: DiffusionModel

    @field_validator("diffusion")
    @classmethod
    def _in_float32(cls, model: DiffusionModel) -> DiffusionModel:
        return model.model_copy(update={"dtype": "float32"})


class WritePromptsSettings(ProgramSettings):
    """Settings of `write_prompts.py`. `llama` is `None` for sources that do not use it."""

    prompts: PromptSet
    llama: LlamaModel | None = None


class PlanGenerationSettings(ProgramSettings):
    """Settings of `plan_generation.py`. Without `learned_words`, prompts contain plain class names."""

    images_per_guide: int
    noise_levels: tuple[float, ...]
    learned_words: bool = True
    noise_draw: NoiseDraw = "image"
    turns: Turns = "balanced"
    word_match: WordMatch = "exact"
    ceiling_use: CeilingUse = "scale"


class GenerateImagesSettings(ProgramSettings):
    """Settings of `generate_images.py`."""

    strength: float
    guidance_scale: float
    inference_steps: int
    diffusion: DiffusionModel
    negative_prompt: str = ""
    resize_to_guide: bool = False


class FindNoiseCeilingsSettings(ProgramSettings):
    """Settings of `find_noise_ceilings.py`."""

    levels: tuple[float, ...]
    images_per_level: int
    keep: float
    generation: GenerateImagesSettings
    backbone: BackboneModel
    image_size: int


class TrainGuideClassifierSettings(ProgramSettings):
    """Settings of `train_guide_classifier.py`."""

    guide_classifier: GuideClassifier
    backbone: BackboneModel
    image_size: int


class ScoreImagesSettings(ProgramSettings):
    """Settings of `score_images.py`."""

    views: int = 0
    augmentation: ViewAugmentation = "standard"
    transform: Transform
    threshold: float | None = None
    normalize: Normalize
    backbone: BackboneModel
    image_size: int


class TrainDownstreamSettings(ProgramSettings):
    """Settings of `train_downstream.py`. `synthetic_probability` 0 means real images only."""

    method: str
    downstream: Downstream
    backbone: BackboneModel
    synthetic_probability: float


class FitBaselinesSettings(ProgramSettings):
    """Settings of `fit_baselines.py`."""

    backbone: BackboneModel
    image_size: int


class ExtractFeaturesSettings(ProgramSettings):
    """Settings of `extract_features.py`."""

    features: FeatureModel


class EqualSize(Block):
    """Sets of equal size: the most synthetic images per class that every cell and generator has, and draws of them."""

    images_per_class: int
    draws: int


class MeasureCeilingSettings(ProgramSettings):
    """Settings of `measure_ceiling.py`."""

    k: tuple[int, ...]
    real_splits: tuple[str, ...]
    subsample: int | None
    equal_size: EqualSize


class MeasureDiversitySettings(MeasureCeilingSettings):
    """Settings of `measure_diversity.py`."""

    seed: int


class SummarizeSettings(ProgramSettings):
    """Settings of `summarize.py`: the names of the blocks whose results are collected, in the order of the tables.

    `seeds` are those of cells, `repeat * folds + fold`. `weighted` lists the pairs of generator and weighting whose
    weighted diversity is measured.
    """

    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: int = 1
    shots: tuple[int, ...]
    methods: tuple[str, ...]
    generators: tuple[str, ...]
    weighted: tuple[tuple[str, str], ...]
    prompt_sets: tuple[str, ...]


class CompareMethodsSettings(ProgramSettings):
    """Settings of `compare_methods.py`: the cells, the compared methods, and the primary comparison on `split`.

    A seed of `cell_seeds` is a repeat times `folds` plus the number of the fold. `baselines` begins with the one that
    `primary` is compared with.
    """

    datasets: tuple[str, ...]
    cell_seeds: tuple[int, ...]
    folds: int
    shots: tuple[int, ...]
    methods: tuple[str, ...]
    baselines: tuple[str, ...]
    primary: str | None
    split: str


class ModelFacts(Block):
    """A pretrained model as the report names it: where it comes from, and the hash of its weights, if known."""

    source: str
    sha256: str | None


class WriteReportSettings(ProgramSettings):
    """Settings of `write_report.py`: what the page says about the blocks whose results it shows.

    `datasets` are the adapters by name, `seeds` the repeats, each of which has `folds` cells. `primary` is the method
    whose images and errors are shown, `None` without a comparison, and `ladder` the generator of the noise ladder, if
    there is one. `recorded` are the shown records by kind of result, as for `record_files`.
    """

    experiment: str
    datasets: dict[str, str]
    seeds: tuple[int, ...]
    folds: int = 1
    shots: tuple[int, ...]
    primary: str | None
    ladder: str | None
    methods: dict[str, Method]
    generators: dict[str, Generator]
    prompt_sets: tuple[str, ...]
    weightings: dict[str, Weighting]
    models: dict[str, ModelFacts]
    recorded: dict[str, tuple[str, ...]]

    @property
    def cell_seeds(self) -> tuple[int, ...]:
        """The seeds of the cells: a number per repeat and fold."""
        return tuple(seed * self.folds + fold for seed in self.seeds for fold in range(self.folds))


class DrawNoiseLadderSettings(ProgramSettings):
    """Settings of `draw_noise_ladder.py`: levels in growing order, and how images are generated."""

    levels: tuple[float, ...]
    generation: GenerateImagesSettings


class ExportDatasetSettings(ProgramSettings):
    """Settings of `export_dataset.py`: the method, and, for the card, the blocks and models that made its images."""

    method: str
    synthetic_probability: float
    generator: Generator
    embedding: Embedding | None
    prompts: PromptSet | None
    weighting: Weighting | None
    guide_classifier: GuideClassifier | None
    diffusion: DiffusionModel
    llama: LlamaModel | None
    backbone: BackboneModel | None

"""What each program sees of the configuration: exactly the values it uses, so that only their change reruns it."""

from typing import Literal

from diagen.config.base import Block
from diagen.config.blocks import Downstream, Embedding, Guide, PromptSet
from diagen.config.datasets import Dataset
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel


class IndexDatasetSettings(Block):
    """Settings of `index_dataset.py`."""

    dataset: Dataset


class DrawShotsSettings(Block):
    """Settings of `draw_shots.py`."""

    dataset: str
    guide_pool: int


class AuditLeakageSettings(Block):
    """Settings of `audit_leakage.py`."""

    near_distance: float


class LearnEmbeddingsSettings(Block):
    """Settings of `learn_embeddings.py`."""

    embedding: Embedding
    diffusion: DiffusionModel


class WritePromptsSettings(Block):
    """Settings of `write_prompts.py`."""

    prompts: PromptSet
    llama: LlamaModel


class PlanGenerationSettings(Block):
    """Settings of `plan_generation.py`."""

    dataset: str
    images_per_guide: int
    noise_levels: tuple[float, ...]


class GenerateImagesSettings(Block):
    """Settings of `generate_images.py`."""

    strength: float
    guidance_scale: float
    inference_steps: int
    diffusion: DiffusionModel


class TrainGuideClassifierSettings(Block):
    """Settings of `train_guide_classifier.py`."""

    guide: Guide
    backbone: BackboneModel
    image_size: int


class ScoreImagesSettings(Block):
    """Settings of `score_images.py`."""

    transform: Literal["confidence"]
    normalise: Literal["guide_image"]
    backbone: BackboneModel
    image_size: int


class TrainDownstreamSettings(Block):
    """Settings of `train_downstream.py`. `synthetic_probability` is 0 for real images only."""

    method: str
    dataset: str
    downstream: Downstream
    backbone: BackboneModel
    synthetic_probability: float


class ExtractFeaturesSettings(Block):
    """Settings of `extract_features.py`."""

    features: FeatureModel


class MeasureDiversitySettings(Block):
    """Settings of `measure_diversity.py`."""

    k: tuple[int, ...]
    real_splits: tuple[str, ...]
    subsample: int | None
    seed: int


class SummariseSettings(Block):
    """Settings of `summarise.py`: the names of the blocks whose results are gathered, in the order of the tables."""

    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    shots: tuple[int, ...]
    methods: tuple[str, ...]
    generators: tuple[str, ...]
    prompt_sets: tuple[str, ...]

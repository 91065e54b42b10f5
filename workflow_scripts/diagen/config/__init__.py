"""The configuration: its blocks, what each program sees of it, and how a mistake in it is told.

Free of torch, since every cluster job parses the Snakefile again.
"""

from diagen.config.blocks import (
    Config,
    Diversity,
    Downstream,
    Embedding,
    Execution,
    Generator,
    Guide,
    Method,
    PromptSet,
    Weighting,
)
from diagen.config.datasets import Coco, CustomCoco, Dataset, DrawnWorld, Focus, ImageFolder, Leakage, Photos
from diagen.config.errors import ConfigError
from diagen.config.load import load_config
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, Models

__all__ = [
    "BackboneModel",
    "Coco",
    "Config",
    "ConfigError",
    "CustomCoco",
    "Dataset",
    "DiffusionModel",
    "Diversity",
    "Downstream",
    "DrawnWorld",
    "Embedding",
    "Execution",
    "FeatureModel",
    "Focus",
    "Generator",
    "Guide",
    "ImageFolder",
    "Leakage",
    "LlamaModel",
    "Method",
    "Models",
    "Photos",
    "PromptSet",
    "Weighting",
    "load_config",
]

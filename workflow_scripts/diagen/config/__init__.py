"""The configuration: its blocks, what each program sees of it, and how a mistake in it is told.

Free of torch, since every cluster job parses the Snakefile again.
"""

from diagen.config.blocks import (
    Config,
    Dataset,
    Diversity,
    Downstream,
    DrawnWorld,
    Embedding,
    Execution,
    Generator,
    Guide,
    ImageFolder,
    Method,
    PromptSet,
    Weighting,
)
from diagen.config.errors import ConfigError
from diagen.config.load import load_config
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, Models

__all__ = [
    "BackboneModel",
    "Config",
    "ConfigError",
    "Dataset",
    "DiffusionModel",
    "Diversity",
    "Downstream",
    "DrawnWorld",
    "Embedding",
    "Execution",
    "FeatureModel",
    "Generator",
    "Guide",
    "ImageFolder",
    "LlamaModel",
    "Method",
    "Models",
    "PromptSet",
    "Weighting",
    "load_config",
]

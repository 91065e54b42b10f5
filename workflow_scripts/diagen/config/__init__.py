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
    NoiseCeiling,
    Weighting,
)
from diagen.config.errors import ConfigError
from diagen.config.load import load_config
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, Models
from diagen.config.prompt_sets import ComposedPrompts, EndpointPrompts, LlamaPrompts, PromptSet, PromptTable

__all__ = [
    "BackboneModel",
    "ComposedPrompts",
    "Config",
    "ConfigError",
    "Dataset",
    "DiffusionModel",
    "Diversity",
    "Downstream",
    "DrawnWorld",
    "Embedding",
    "EndpointPrompts",
    "Execution",
    "FeatureModel",
    "Generator",
    "Guide",
    "ImageFolder",
    "LlamaModel",
    "LlamaPrompts",
    "Method",
    "Models",
    "NoiseCeiling",
    "PromptSet",
    "PromptTable",
    "Weighting",
    "load_config",
]

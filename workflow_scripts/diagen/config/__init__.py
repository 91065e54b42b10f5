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
    GuideClassifier,
    Method,
    NoiseCeiling,
    Weighting,
)
from diagen.config.datasets import Coco, CustomCoco, Dataset, DrawnWorld, Focus, ImageFolder, Leakage, Photos
from diagen.config.errors import ConfigError
from diagen.config.load import load_config
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, Models
from diagen.config.prompt_sets import ComposedPrompts, EndpointPrompts, LlamaPrompts, PromptSet, PromptTable

__all__ = [
    "BackboneModel",
    "Coco",
    "ComposedPrompts",
    "Config",
    "ConfigError",
    "CustomCoco",
    "Dataset",
    "DiffusionModel",
    "Diversity",
    "Downstream",
    "DrawnWorld",
    "Embedding",
    "EndpointPrompts",
    "Execution",
    "FeatureModel",
    "Focus",
    "Generator",
    "GuideClassifier",
    "ImageFolder",
    "Leakage",
    "LlamaModel",
    "LlamaPrompts",
    "Method",
    "Models",
    "NoiseCeiling",
    "Photos",
    "PromptSet",
    "PromptTable",
    "Weighting",
    "load_config",
]

"""The configuration: its blocks, its validation, and the settings of each program.

Free of torch, since every cluster job parses the Snakefile again.
"""

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
from diagen.config.datasets import (
    Coco,
    CustomCoco,
    Dataset,
    DrawnWorld,
    Evaluation,
    Focus,
    ImageFolder,
    Leakage,
    Photos,
)
from diagen.config.experiment import Config
from diagen.config.load import ConfigError, load_config
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
    "Evaluation",
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

"""Names of methods, generators and splits in the report, as the paper writes them."""

import re

_NAMES = {
    "standard": "Standard augmentation",
    "logistic_regression": "Logistic regression",
    "nearest_class_mean": "Nearest class mean",
    "randaugment": "RandAugment",
    "cutmix": "CutMix",
    "real_guidance": "Real guidance",
    "da_fusion": "DA-Fusion",
    "da_fusion_tuned": "DA-Fusion (tuned)",
    "noise": "Noise",
    "llm": "Prompts",
    "noise_llm": "Noise + prompts",
    "diagen": "DIAGen",
    "real": "Real photos (ceiling)",
    "val": "Validation",
    "test": "Test",
    "test_uncommon": "Uncommon Settings",
}

VARIANTS = {
    "equal_size": "Sets of equal size",
    "paper": "As in the paper",
    "without_guides": "Without guide images among the real ones",
}
"""How sets of images are measured (`diversity.csv`), in the order in which reports show them."""

_PHRASES = {"test": "on test photos", "test_uncommon": "in Uncommon Settings"}


def label(name: str) -> str:
    """The display name of a block or split; unknown names become words: `strength_0_5` is `Strength 0.5`."""
    words = re.sub(r"(?<=\d)_(?=\d)", ".", name).replace("_", " ")
    return _NAMES.get(name, words[:1].upper() + words[1:])


def where(split: str) -> str:
    """The photos of a split as part of a sentence."""
    return _PHRASES.get(split, f"on {label(split)}")

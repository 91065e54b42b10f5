"""Names of methods, generators and splits in figures and tables."""

_NAMES = {
    "standard": "Standard augmentation",
    "randaugment": "RandAugment",
    "cutmix": "CutMix",
    "real_guidance": "Real guidance",
    "da_fusion": "DA-Fusion",
    "da_fusion_tuned": "DA-Fusion (tuned)",
    "noise": "Noise",
    "llm": "Prompts",
    "noise_llm": "Noise + prompts",
    "diagen": "DIAGen",
    "logistic_regression": "Logistic regression",
    "nearest_class_mean": "Nearest class mean",
    "val": "Validation",
    "test": "Test",
    "test_uncommon": "Uncommon Settings",
}


def label(name: str) -> str:
    """The display name of a block or split; in unknown names, underscores become spaces."""
    return _NAMES.get(name, name.replace("_", " "))

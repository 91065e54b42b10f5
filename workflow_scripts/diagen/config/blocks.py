"""The blocks of the configuration, in the order of the stages. Later blocks refer to earlier ones by name."""

from typing import Annotated, Literal

from pydantic import Field

from diagen.config.base import Block, BlockName, PositiveFloat, PositiveInt, Probability, Seed
from diagen.config.datasets import Dataset, Leakage
from diagen.config.models import Models


class Embedding(Block):
    """Textual Inversion: how the word of each class is learned (section 3.1; arXiv 2208.01618)."""

    steps: PositiveInt = Field(1000, description="Optimisation steps (paper: 1000).")
    batch: PositiveInt = Field(4, description="Images per class and step (paper: 4).")
    learning_rate: PositiveFloat = Field(5e-4, description="Learning rate of AdamW before scaling (paper: 5e-4).")
    scale_learning_rate: bool = Field(True, description="Multiply the learning rate by the batch size (paper: yes).")
    initializer: str = Field(
        "the", description="Text whose vectors the new word starts from (paper: `the`); may hold `{class_name}`."
    )
    vectors: PositiveInt = Field(1, description="Vectors per word (paper: 1; later versions of DA-Fusion: 4).")
    weight_decay: float = Field(1e-2, ge=0, description="Decoupled weight decay of AdamW (paper: 1e-2).")
    crop: Literal["squash", "center"] = Field(
        "squash", description="How a photo becomes square: squash (published code) or centre crop."
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Precision of the passes; bfloat16 is faster on a GPU. The word itself stays float32."
    )


class PromptSet(Block):
    """Prompts that a language model writes for each class (section 3.3)."""

    per_class: PositiveInt = Field(10, description="Distinct prompts per class (paper: 10).")
    instruction: str = Field(description="Template file with `{num_prompts}` and `{class_name}`.")
    temperature: PositiveFloat = Field(0.8, le=5.0, description="Sampling temperature.")
    top_p: PositiveFloat = Field(0.95, le=1.0, description="Nucleus sampling mass.")
    top_k: PositiveInt = Field(40, description="Sample among this many likeliest tokens.")
    max_tokens: PositiveInt = Field(40, description="Bound on the tokens of one prompt.")
    attempts: PositiveInt = Field(8, description="Calls of the model per class before giving up.")
    seed: Seed = Field(0, description="Seed of the sampling.")


class Generator(Block):
    """How one synthetic set is generated (section 3; DA-Fusion: arXiv 2302.07944)."""

    embedding: BlockName = Field(description="The embedding block whose words are used.")
    prompts: BlockName | None = Field(None, description="Prompt set; without one the prompt is `a photo of a <class>`.")
    noise_levels: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (), description="Standard deviations of the noise added to the word, taken in turn (paper: 0.005, 0.01, 0.025)."
    )
    strength: PositiveFloat = Field(le=1.0, description="Strength t0 of img2img (DIAGen: 0.7, DA-Fusion: 0.5).")
    guidance_scale: float = Field(ge=1.0, description="Guidance scale (DIAGen: 15, DA-Fusion: 7.5).")
    images_per_guide: PositiveInt = Field(10, description="Synthetic images per guide image M (paper: 10).")
    inference_steps: PositiveInt = Field(
        50, le=1000, description="Steps of the PNDM schedule before strength cuts it (paper: 50)."
    )


class Guide(Block):
    """The guide classifier, trained on the real shots alone, whose confidence weighs images (section 3.4)."""

    epochs: PositiveInt = Field(50, description="Largest number of epochs (paper: 50).")
    iterations: PositiveInt = Field(200, description="Steps per epoch (paper: 200).")
    patience: PositiveInt = Field(
        6, description="Stop after this many epochs without a better validation loss (paper: 6)."
    )
    batch: PositiveInt = Field(32, description="Images per step.")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam (paper: 1e-4).")
    weight_decay: float = Field(1e-2, ge=0, description="L2 of Adam (paper: 1e-2).")
    augmentation: Literal["standard", "randaugment"] = Field("randaugment", description="Training augmentation.")


class Weighting(Block):
    """How a synthetic image's weight follows from the guide classifier's confidence (section 3.4, eq. 2)."""

    guide: BlockName = Field(description="The guide block that scores the images.")
    transform: Literal["confidence"] = Field(
        "confidence", description="The weight before normalising: the calibrated confidence q."
    )
    normalise: Literal["guide_image"] = Field(
        "guide_image", description="Weights sum to one over the images of a guide image (eq. 2)."
    )


class Method(Block):
    """One row of the results table: what the downstream classifier is trained on."""

    generator: BlockName | None = Field(None, description="Generator block; without one, real images only.")
    weighting: BlockName | None = Field(None, description="Weighting block; without one, all images weigh the same.")
    synthetic_probability: Probability | None = Field(
        None, description="Probability p that a training image is synthetic (DIAGen: 0.7, DA-Fusion: 0.5)."
    )


class Downstream(Block):
    """The downstream classifier: a linear layer on a frozen backbone (section 4)."""

    epochs: PositiveInt = Field(50, description="Epochs (paper: 50); the one best on validation is tested.")
    iterations: PositiveInt = Field(200, description="Steps per epoch (paper: 200).")
    batch: PositiveInt = Field(32, description="Images per step (paper: 32).")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam (paper: 1e-4).")
    image_size: PositiveInt = Field(256, description="Edge in pixels (paper: 256).")


class Diversity(Block):
    """Precision, recall, density and coverage in feature space (arXiv 1904.06991, arXiv 2002.09797)."""

    k: tuple[PositiveInt, ...] = Field((3, 5), min_length=1, description="Neighbours that set a point's radius.")
    real_splits: tuple[Literal["train_val", "test"], ...] = Field(
        ("train_val", "test"), min_length=1, description="Splits that make up the real set; never the uncommon one."
    )
    subsample: PositiveInt | None = Field(None, description="Use at most this many images of each set, drawn by seed.")


class Execution(Block):
    """How to run, never what to compute: a change here reruns nothing."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="`auto` takes a GPU when there is one.")
    micro_batch: PositiveInt = Field(16, description="Images per forward pass; other values round differently.")
    words_together: PositiveInt = Field(8, description="Words learned in one batch; other values round differently.")
    torch_threads: PositiveInt = Field(2, description="CPU threads of torch per job; other values round differently.")
    shards: PositiveInt = Field(1, description="Processes (and GPUs) that share the classes of one cell.")


class Config(Block):
    """A whole experiment."""

    experiment: BlockName = Field(description="Name of the folder under `results/`.")
    datasets: dict[BlockName, Dataset] = Field(min_length=1, description="Datasets by name.")
    seeds: tuple[Seed, ...] = Field(
        (0, 1, 2), min_length=1, description="Seeds of the few-shot splits (paper: 0, 1, 2)."
    )
    shots: tuple[PositiveInt, ...] = Field(
        (2, 4, 8), min_length=1, description="Guide images per class (paper: 2, 4, 8)."
    )
    guide_pool: PositiveInt = Field(8, description="Images per class kept for guides; the rest of train-val validates.")
    models: Models
    embeddings: dict[BlockName, Embedding] = Field({}, description="Textual Inversion settings by name.")
    prompts: dict[BlockName, PromptSet] = Field({}, description="Prompt sets by name.")
    generators: dict[BlockName, Generator] = Field({}, description="Generators by name.")
    guides: dict[BlockName, Guide] = Field({}, description="Guide classifiers by name.")
    weightings: dict[BlockName, Weighting] = Field({}, description="Weightings by name.")
    methods: dict[BlockName, Method] = Field(min_length=1, description="Methods to compare, by name.")
    downstream: Downstream = Downstream()
    diversity: Diversity = Diversity()
    leakage: Leakage = Leakage()
    execution: Execution = Execution()

"""The blocks of the configuration, in the order of the stages. Later blocks refer to earlier ones by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from diagen.config.base import (
    Block,
    BlockName,
    GuidanceScale,
    NaturalFloat,
    NaturalInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    Seed,
)
from diagen.config.choices import (
    Augmentation,
    BatchNormMode,
    CeilingUse,
    Decay,
    EpochChoice,
    NoiseDraw,
    Normalize,
    Transform,
    Turns,
    Validation,
    ViewAugmentation,
    WordMatch,
)
from diagen.config.datasets import Dataset, Leakage
from diagen.config.models import Models
from diagen.config.prompt_sets import PromptSet


class Embedding(Block):
    """Textual Inversion: how the word of each class is learned (section 3.1; arXiv 2208.01618)."""

    steps: PositiveInt = Field(1000, description="Optimization steps (paper: 1000).")
    batch: PositiveInt = Field(4, description="Images per class and step (paper: 4).")
    learning_rate: PositiveFloat = Field(5e-4, description="Learning rate of AdamW before scaling (paper: 5e-4).")
    scale_learning_rate: bool = Field(True, description="Multiply the learning rate by the batch size (paper: yes).")
    initializer: str = Field(
        "the", description="Text whose vectors the new word starts from (paper: `the`); may hold `{class_name}`."
    )
    vectors: PositiveInt = Field(1, description="Vectors per word (paper: 1; later versions of DA-Fusion: 4).")
    weight_decay: NaturalFloat = Field(1e-2, description="Decoupled weight decay of AdamW (paper: 1e-2).")
    crop: Literal["squash", "center"] = Field(
        "squash", description="How a photo becomes square: squash (published code) or center crop."
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Precision of the passes; bfloat16 is faster on a GPU. The word itself stays float32."
    )


class NoiseCeiling(Block):
    """How much noise each class's word bears (beyond the paper: its open question 1): the largest level at which the
    guide classifier still takes the images for the class.

    At each level the class's images, `a photo of a <class>`, are compared with the same images without noise: the level
    is borne if the mean calibrated confidence stays at least `keep` times theirs, and above chance.
    """

    embedding: BlockName = Field(description="The embedding block whose words get the noise.")
    guide_classifier: BlockName = Field(description="The guide classifier that judges the trial images.")
    levels: tuple[PositiveFloat, ...] = Field(
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4),
        min_length=1,
        description="Levels to choose from, searched by halving: more noise is taken to mean less confidence.",
    )
    images_per_level: PositiveInt = Field(8, description="Images per class and level that is tried.")
    keep: PositiveFloat = Field(0.8, le=1.0, description="Share of the confidence without noise that must be left.")
    strength: PositiveFloat = Field(0.7, le=1.0, description="Strength t0 of img2img, as in a generator.")
    guidance_scale: GuidanceScale = Field(15.0, description="Guidance scale, as in a generator.")
    inference_steps: PositiveInt = Field(50, le=1000, description="Steps of the schedule, as in a generator.")


class Generator(Block):
    """How one synthetic set is generated (section 3; DA-Fusion: arXiv 2302.07944)."""

    embedding: BlockName | None = Field(
        None,
        description="The embedding block whose words are used; without one prompts hold the plain class name "
        "(the baseline real guidance).",
    )
    prompts: BlockName | None = Field(None, description="Prompt set; without one the prompt is `a photo of a <class>`.")
    negative_prompt: str = Field("", description="What the guidance leads away from (paper: nothing).")
    noise_levels: tuple[NaturalFloat, ...] = Field(
        (), description="Standard deviations of the noise added to the word, taken in turn (paper: 0.005, 0.01, 0.025)."
    )
    noise_draw: NoiseDraw = Field(
        "image",
        description="`image`: each image draws its noise. `class`: one draw per class and level, shared by all images "
        "(published code).",
    )
    noise_ceiling: BlockName | None = Field(
        None,
        description="Noise ceiling block that fits `noise_levels` to each class; without one all classes get them.",
    )
    ceiling_use: CeilingUse = Field(
        "scale",
        description="`scale`: levels are multiplied so that the largest is the class's ceiling. `cap`: none is larger.",
    )
    turns: Turns = Field(
        "balanced",
        description="`balanced`: every prompt meets every level. `number`: image n of a guide image takes prompt n "
        "modulo their number and level n modulo theirs (published code).",
    )
    word_match: WordMatch = Field(
        "exact",
        description="`exact`: images take the noisy words of their class. `substring`: of all classes whose name holds "
        "theirs, so `dog` also takes `hot dog` (published code).",
    )
    strength: PositiveFloat = Field(le=1.0, description="Strength t0 of img2img (DIAGen: 0.7, DA-Fusion: 0.5).")
    guidance_scale: GuidanceScale = Field(description="Guidance scale (DIAGen: 15, DA-Fusion: 7.5).")
    images_per_guide: PositiveInt = Field(10, description="Synthetic images per guide image M (paper: 10).")
    inference_steps: PositiveInt = Field(
        50, le=1000, description="Steps of the PNDM schedule before strength cuts it (paper: 50)."
    )
    resize_to_guide: bool = Field(
        False, description="Resize each result to its guide image's size, bilinear (published code)."
    )


BatchNorm = Annotated[
    BatchNormMode,
    Field(
        description="BatchNorm of the backbone: `frozen` at its pretrained statistics (paper), or in `training` mode: "
        "each training batch is normalized by its own statistics, which overwrite the running ones, with which is "
        "tested (published code). A whole `batch` then passes at once, whatever `execution.micro_batch` says."
    ),
]
KeptEpoch = Annotated[
    EpochChoice,
    Field(
        description="The epoch whose layer is used: the one best on validation (paper), or the last (published code, "
        "whose best weights are an alias of the live ones)."
    ),
]


class GuideClassifier(Block):
    """The guide classifier, trained on the real shots alone, whose confidence weighs images (section 3.4)."""

    epochs: PositiveInt = Field(50, description="Largest number of epochs (paper: 50).")
    iterations: PositiveInt = Field(200, description="Steps per epoch (paper: 200).")
    patience: PositiveInt = Field(
        6, description="Stop after this many epochs without a better validation loss (paper: 6)."
    )
    batch: PositiveInt = Field(32, description="Images per step.")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam (paper: 1e-4).")
    weight_decay: NaturalFloat = Field(1e-2, description="Weight decay of Adam (paper: 1e-2).")
    decay: Decay = Field(
        "l2",
        description="How Adam takes the weight decay: `l2`, added to the gradient (torch.optim.Adam, published code), "
        "or `decoupled` from it (AdamW). The paper says Adam and no more.",
    )
    augmentation: ViewAugmentation = Field("randaugment", description="Training augmentation (paper: RandAugment).")
    batch_norm: BatchNorm = "frozen"
    kept_epoch: KeptEpoch = "best"
    validation: Validation = Field(
        "whole",
        description="What the validation loss and the temperature are computed on: `whole`, each image once, or "
        "`resampled`, `iterations` x `batch` class-balanced draws with replacement, anew each time (published code).",
    )


class Weighting(Block):
    """How a synthetic image's weight follows from the guide classifier's confidence (section 3.4, eq. 2)."""

    guide_classifier: BlockName = Field(description="The guide classifier that scores the images.")
    views: NaturalInt = Field(
        0,
        description="The confidence q is the mean over this many randomly augmented views of the image (published "
        "code: 5); 0 takes the plain image (paper).",
    )
    augmentation: ViewAugmentation = Field(
        "standard",
        description="Augmentation of the views (published code: that of downstream training, on MS COCO without crop).",
    )
    transform: Transform = Field(
        "confidence",
        description="The weight before normalizing: `confidence` q (paper), `doubled` min(1, 2q) (published code), "
        "`threshold` 1 where q reaches `threshold` and else 0, or `none`, always 1.",
    )
    threshold: Probability | None = Field(None, description="Least confidence that `transform: threshold` lets pass.")
    normalize: Normalize = Field(
        "guide_image",
        description="Weights sum to one over the images of a guide image (eq. 2), so that each guide is drawn as often "
        "as any other, or over those of a class, so that a guide whose images are all bad is drawn less.",
    )


class Method(Block):
    """One row of the results table: what the downstream classifier is trained on."""

    generator: BlockName | None = Field(None, description="Generator block; without one, real images only.")
    weighting: BlockName | None = Field(None, description="Weighting block; without one, all images weigh the same.")
    synthetic_probability: Probability | None = Field(
        None,
        description="Probability p that a training image is synthetic (DIAGen: 0.7, DA-Fusion: 0.5); 1 trains on "
        "synthetic images alone (classification accuracy score, arXiv 1905.10887).",
    )
    recipe: BlockName | None = Field(
        None, description="Recipe of the downstream classifier; without one, that of `downstream`."
    )


class Downstream(Block):
    """The downstream classifier: a linear layer on a frozen backbone (section 4)."""

    epochs: PositiveInt = Field(50, description="Epochs (paper: 50).")
    iterations: PositiveInt = Field(200, description="Steps per epoch (paper: 200).")
    batch: PositiveInt = Field(32, description="Images per step (paper: 32; published command line: 16).")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam (paper: 1e-4).")
    image_size: PositiveInt = Field(256, description="Edge in pixels (paper: 256).")
    augmentation: Augmentation = Field(
        "standard",
        description="Training augmentation: `standard` (random resized crop, flip, rotation), `standard_no_crop` "
        "(resized instead: published code on MS COCO), or a baseline: `randaugment` (arXiv 1909.13719), or `cutmix` "
        "(arXiv 1905.04899), which pastes standard views of a batch into each other and mixes their labels.",
    )
    batch_norm: BatchNorm = "frozen"
    kept_epoch: KeptEpoch = "best"


class Diversity(Block):
    """Precision, recall, density and coverage in feature space (arXiv 1904.06991, arXiv 2002.09797)."""

    k: tuple[PositiveInt, ...] = Field((3, 5), min_length=1, description="Neighbors that set a point's radius.")
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
    shards: PositiveInt = Field(
        1, le=64, description="Processes (and GPUs of one machine) that share the classes of one cell."
    )


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
    noise_ceilings: dict[BlockName, NoiseCeiling] = Field({}, description="Noise ceilings by name.")
    generators: dict[BlockName, Generator] = Field({}, description="Generators by name.")
    guide_classifiers: dict[BlockName, GuideClassifier] = Field({}, description="Guide classifiers by name.")
    weightings: dict[BlockName, Weighting] = Field({}, description="Weightings by name.")
    methods: dict[BlockName, Method] = Field(min_length=1, description="Methods to compare, by name.")
    downstream: Downstream = Downstream()
    recipes: dict[BlockName, Downstream] = Field(
        {}, description="Other recipes than `downstream` by name; what one leaves out is as there."
    )
    diversity: Diversity = Diversity()
    leakage: Leakage = Leakage()
    execution: Execution = Execution()

    @model_validator(mode="before")
    @classmethod
    def _complete_recipes(cls, values: Any) -> Any:
        """Fill in what the recipes leave out."""
        if not isinstance(values, Mapping):
            return values
        common, recipes = values.get("downstream"), values.get("recipes")
        if not isinstance(common, Mapping) or not isinstance(recipes, Mapping):
            return values
        complete = {name: {**common, **own} if isinstance(own, Mapping) else own for name, own in recipes.items()}
        return {**values, "recipes": complete}

    def recipe_of(self, method: str) -> Downstream:
        """How the downstream classifier of `method` is trained."""
        name = self.methods[method].recipe
        return self.recipes[name] if name else self.downstream

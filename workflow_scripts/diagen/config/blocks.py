"""The blocks of the configuration, in the order of the stages. Later blocks refer to earlier ones by name."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from diagen.config.base import (
    DISTINCT,
    NUMBER,
    Block,
    BlockName,
    GuidanceScale,
    NaturalFloat,
    NaturalInt,
    PositiveFloat,
    PositiveInt,
    Probability,
)
from diagen.config.choices import (
    Augmentation,
    BatchNormMode,
    CeilingUse,
    Decay,
    JobsPerGpu,
    NoiseDraw,
    Normalize,
    Selection,
    Transform,
    Turns,
    Validation,
    ViewAugmentation,
    WordMatch,
)


class Embedding(Block):
    """Textual Inversion: how one word is learned for each class (section 3.1; arXiv 2208.01618)."""

    steps: PositiveInt = Field(1000, description="Optimization steps (paper: 1000).")
    batch: PositiveInt = Field(4, description="Images per class and step (paper: 4).")
    learning_rate: PositiveFloat = Field(5e-4, description="Learning rate of AdamW before scaling (paper: 5e-4).")
    scale_learning_rate: bool = Field(True, description="Multiply the learning rate by the batch size (paper: yes).")
    initializer: str = Field(
        "the", description="Text whose vectors initialize the new word (paper: `the`); may contain `{class_name}`."
    )
    vectors: PositiveInt = Field(1, description="Vectors per word (paper: 1; later versions of DA-Fusion: 4).")
    weight_decay: NaturalFloat = Field(1e-2, description="Decoupled weight decay of AdamW (paper: 1e-2).")
    crop: Literal["squash", "center"] = Field(
        "squash", description="How a photo is made square: squash (published code) or center crop."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Precision of the passes: `auto` is bfloat16 on a GPU that computes in it (NVIDIA from compute "
        "capability 8.0 on, AMD), else float32. Weights and words are always float32; float16 is not offered: it needs "
        "loss scaling, whose skipped steps all words of a batch would share.",
    )


class NoiseCeiling(Block):
    """The largest noise level that each class tolerates: the guide classifier still recognizes the class in the images
    (beyond the paper: its open question 1).

    At each level, images of the class with the prompt `a photo of a <class>` are compared with the same images without
    noise. A level is tolerated if their mean calibrated confidence is at least `keep` times that without noise, and
    above chance.
    """

    embedding: BlockName = Field(description="The embedding block whose words receive the noise.")
    guide_classifier: BlockName = Field(description="The guide classifier that judges the trial images.")
    levels: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), DISTINCT] = Field(
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4),
        description="Candidate levels, in a binary search that assumes that confidence falls with noise.",
    )
    images_per_level: PositiveInt = Field(8, description="Images per class and tried level.")
    keep: PositiveFloat = Field(0.8, le=1.0, description="Required share of the confidence without noise.")
    strength: PositiveFloat = Field(0.7, le=1.0, description="Strength t0 of img2img, as in a generator.")
    guidance_scale: GuidanceScale = Field(15.0, description="Guidance scale, as in a generator.")
    inference_steps: PositiveInt = Field(50, le=1000, description="Steps of the schedule, as in a generator.")


class Generator(Block):
    """How one synthetic set is generated (section 3; DA-Fusion: arXiv 2302.07944)."""

    embedding: BlockName | None = Field(
        None,
        description="The embedding block whose words are used; without one, prompts contain the plain class name "
        "(the baseline real guidance).",
    )
    prompts: BlockName | None = Field(
        None, description="Prompt set; without one, the prompt is `a photo of a <class>`."
    )
    negative_prompt: str = Field("", description="Prompt that guidance steers away from (paper: none).")
    noise_levels: Annotated[tuple[NaturalFloat, ...], DISTINCT] = Field(
        (), description="Standard deviations of the noise added to the word, taken in turn (paper: 0.005, 0.01, 0.025)."
    )
    noise_draw: NoiseDraw = Field(
        "image",
        description="`image`: each image draws its noise. `class`: one draw per class and level, shared by all images "
        "(published code).",
    )
    noise_ceiling: BlockName | None = Field(
        None,
        description="Noise ceiling block that fits `noise_levels` to each class; without one, they are used as given.",
    )
    ceiling_use: CeilingUse = Field(
        "scale",
        description="`scale`: multiply levels so that the largest is the class's ceiling. `cap`: lower those above it.",
    )
    turns: Turns = Field(
        "balanced",
        description="`balanced`: every prompt is combined with every level. `number`: image n of a guide image takes "
        "prompt n mod the number of prompts, and level n mod the number of levels (published code).",
    )
    word_match: WordMatch = Field(
        "exact",
        description="`exact`: images take the noisy words of their class. `substring`: of all classes whose name "
        "contains that of their class, so `dog` also takes `hot dog` (published code).",
    )
    strength: PositiveFloat = Field(le=1.0, description="Strength t0 of img2img (DIAGen: 0.7, DA-Fusion: 0.5).")
    guidance_scale: GuidanceScale = Field(description="Guidance scale (DIAGen: 15, DA-Fusion: 7.5).")
    images_per_guide: PositiveInt = Field(10, description="Synthetic images per guide image M (paper: 10).")
    inference_steps: PositiveInt = Field(
        50, le=1000, description="Steps of the PNDM schedule before `strength` shortens it (paper: 50)."
    )
    resize_to_guide: bool = Field(
        False, description="Resize each result to its guide image's size, bilinear (published code)."
    )


BatchNorm = Annotated[
    BatchNormMode,
    Field(
        description="BatchNorm of the backbone: `frozen` at its pretrained statistics (paper), or in `training` mode: "
        "each training batch is normalized by its own statistics, which overwrite the running statistics that testing "
        "uses (published code). A whole `batch` then passes at once, regardless of `execution.micro_batch`."
    ),
]
DecayKind = Annotated[
    Decay,
    Field(description="Weight decay is added to the gradient: `l2` (Adam; published code), or `decoupled` (AdamW)."),
]
SelectedEpoch = Annotated[
    Selection,
    Field(
        description="The epoch whose layer is used: the one `best` on validation (paper), or the `last`, which needs "
        "no validation images (published code, whose best weights are an alias of the live ones)."
    ),
]


class GuideClassifier(Block):
    """The guide classifier, trained on the real shots only, whose confidence weights images (section 3.4)."""

    epochs: PositiveInt = Field(50, description="Largest number of epochs (paper: 50).")
    iterations: PositiveInt = Field(200, description="Steps per epoch (paper: 200).")
    patience: PositiveInt = Field(
        6,
        description="Stop after this many epochs without a better validation loss (paper: 6). With `selection: last` "
        "and a class without validation images, training never stops early.",
    )
    batch: PositiveInt = Field(32, description="Images per step.")
    learning_rate: PositiveFloat = Field(1e-4, description="Learning rate of Adam (paper: 1e-4).")
    weight_decay: NaturalFloat = Field(1e-2, description="Weight decay of Adam (paper: 1e-2).")
    decay: DecayKind = "l2"
    augmentation: ViewAugmentation = Field("randaugment", description="Training augmentation (paper: RandAugment).")
    batch_norm: BatchNorm = "frozen"
    selection: SelectedEpoch = "best"
    validation: Validation = Field(
        "whole",
        description="Images for the validation loss and the temperature: `whole`, each image once, or `resampled`, "
        "`iterations` x `batch` class-balanced draws with replacement, new ones each time (published code).",
    )
    temperature_prior: Annotated[float, Field(ge=0.001), NUMBER] | None = Field(
        0.5, description="Standard deviation of the normal prior on log T (docs/method.md); null: none (published)."
    )


class Weighting(Block):
    """How the guide classifier's confidence determines the weight of a synthetic image (section 3.4, eq. (2))."""

    guide_classifier: BlockName = Field(description="The guide classifier that scores the images.")
    views: NaturalInt = Field(
        0,
        description="The confidence q is the mean over this many randomly augmented views of the image (published "
        "code: 5); 0: of the plain image (paper).",
    )
    augmentation: ViewAugmentation = Field(
        "standard",
        description="Augmentation of the views (published code: that of downstream training, without crop on MS COCO).",
    )
    transform: Transform = Field(
        "confidence",
        description="The weight before normalization: `confidence` q (paper), `doubled` min(1, 2q) (published code), "
        "`threshold` 1 if q >= `threshold`, otherwise 0, or `none`, always 1.",
    )
    threshold: Probability | None = Field(None, description="Lowest confidence that `transform: threshold` accepts.")
    normalize: Normalize = Field(
        "guide_image",
        description="Weights sum to one over the images of a guide image (eq. (2)), so that all guides are drawn "
        "equally often, or over those of a class, so that a guide whose images are all bad is drawn less often.",
    )


class Method(Block):
    """One row of the results table: the training data of the downstream classifier."""

    generator: BlockName | None = Field(None, description="Generator block; without one, real images only.")
    weighting: BlockName | None = Field(
        None, description="Weighting block; without one, all images have the same weight."
    )
    synthetic_probability: Probability | None = Field(
        None,
        description="Probability p that a training image is synthetic (DIAGen: 0.7, DA-Fusion: 0.5); 1 trains on "
        "synthetic images only (classification accuracy score, arXiv 1905.10887).",
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
    weight_decay: NaturalFloat = Field(
        0.0, description="Weight decay of Adam (paper: none, so its recipe converges, but isn't regularized)."
    )
    decay: DecayKind = "l2"
    image_size: PositiveInt = Field(256, description="Edge in pixels (paper: 256).")
    augmentation: Augmentation = Field(
        "standard",
        description="Training augmentation: `standard` (random resized crop, flip, rotation), `standard_no_crop` "
        "(resized instead: published code on MS COCO), or a baseline: `randaugment` (arXiv 1909.13719), or `cutmix` "
        "(arXiv 1905.04899), which pastes standard views of a batch into each other and mixes their labels.",
    )
    batch_norm: BatchNorm = "frozen"
    selection: SelectedEpoch = "best"
    cached_views: Annotated[int, Field(ge=1, le=1000), NUMBER] | None = Field(
        None,
        description="Train on the features of this many random views of each image, computed once before the first "
        "epoch; each draw takes one of them. Without it, each draw is a new view (paper). Several times faster, but "
        "accuracy falls, most without synthetic images (docs/method.md).",
    )

    @model_validator(mode="after")
    def _views_of_single_images(self) -> Self:
        mixing = [("augmentation", "cutmix"), ("batch_norm", "training")]
        options = " and ".join(f"`{key}: {value}`" for key, value in mixing if getattr(self, key) == value)
        if self.cached_views is not None and options:
            raise ValueError(
                f"`cached_views` needs views whose features depend on no other image, unlike {options}; "
                "remove `cached_views` (in a recipe, set it to null) or what makes them depend on others"
            )
        return self


class Diversity(Block):
    """Precision, recall, density and coverage in feature space (arXiv 1904.06991, arXiv 2002.09797)."""

    k: tuple[PositiveInt, ...] = Field(
        (3, 5), min_length=1, description="Number of the neighbor whose distance is a point's radius."
    )
    real_splits: tuple[Literal["train_val", "test"], ...] = Field(
        ("train_val", "test"), min_length=1, description="Splits that form the real set; never `test_uncommon`."
    )
    subsample: PositiveInt | None = Field(
        None, description="Use at most this many images of each set, drawn by the cell's seed."
    )
    draws: PositiveInt = Field(10, description="Draws of sets of equal size, whose mean is reported (docs/method.md).")


class Execution(Block):
    """How to run, not what to compute: a change here reruns nothing."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="`auto` uses a GPU if there is one.")
    micro_batch: PositiveInt = Field(
        16, description="Images per forward pass, except in learning words; rounding depends on it."
    )
    words_together: PositiveInt = Field(
        8, description="Words learned in one step, in as few passes as the memory allows; rounding depends on it."
    )
    torch_threads: PositiveInt = Field(2, description="CPU threads of torch per job; rounding depends on it.")
    shards: PositiveInt = Field(
        1, le=64, description="Processes (and GPUs of one machine) that share the classes of one cell."
    )
    jobs_per_gpu: Annotated[JobsPerGpu, NUMBER] = Field(
        1,
        description="Jobs that share a GPU, each with an equal part of its memory: those that train classifiers, score "
        "images or extract features. Others need a whole GPU. Under SLURM, each job has its own.",
    )
    compile: bool = Field(
        False,
        description="Compile the UNet for generating images (`torch.compile`): faster passes after minutes of "
        "compiling per job and micro-batch; rounding depends on it.",
    )

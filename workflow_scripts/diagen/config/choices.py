"""Options with named values that several modules use, each defined once."""

from typing import Literal

NoiseDraw = Literal["image", "class"]
CeilingUse = Literal["scale", "cap"]
Turns = Literal["balanced", "number"]
WordMatch = Literal["exact", "substring"]
Augmentation = Literal["standard", "standard_no_crop", "randaugment", "cutmix"]
ViewAugmentation = Literal["standard", "standard_no_crop", "randaugment"]
Decay = Literal["l2", "decoupled"]
BatchNormMode = Literal["frozen", "training"]
Selection = Literal["best", "last"]
Validation = Literal["whole", "resampled"]
Transform = Literal["confidence", "doubled", "threshold", "none"]
Normalize = Literal["guide_image", "class"]
JobsPerGpu = Literal[1, 2, 3, 4, 6, 12]

"""The pretrained models that a run names: each by a local path, or by a hub id and its revision."""

from typing import Literal, Self

from pydantic import Field, model_validator

from diagen.config.base import Block, PositiveInt


class ModelSource(Block):
    """Where a model's files come from. Exactly one of `path` and `repository` is given."""

    path: str | None = Field(None, description="Local file or folder of the model, relative to the working directory.")
    repository: str | None = Field(None, description="Hub id, such as `CompVis/stable-diffusion-v1-4`.")
    revision: str | None = Field(None, description="Commit of the hub repository; required with `repository`.")
    sha256: str | None = Field(
        None,
        description="Hash of the local files. Filled in by the workflow, so that other weights mean other results.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.repository is None):
            raise ValueError("give either `path` (local files) or `repository` with `revision` (a hub), and not both")
        if self.repository is not None and self.revision is None:
            raise ValueError("a `repository` needs its `revision`, since results must be traceable to exact weights")
        return self


class DiffusionModel(ModelSource):
    """A Stable Diffusion 1.x or 2.x in the layout of diffusers."""

    variant: str | None = Field(None, description="Variant of the weight files, such as `fp16`.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Precision of the weights and activations while images are generated."
    )
    image_size: PositiveInt = Field(512, description="Edge of the images in pixels (paper: 512).")


class LlamaModel(ModelSource):
    """A language model as a GGUF file, run by llama.cpp."""

    file: str | None = Field(None, description="Name of the GGUF file inside a hub repository.")
    context: PositiveInt = Field(2048, description="Context length in tokens.")


class FeatureModel(ModelSource):
    """A feature extractor with DINOv2's interface, loaded by torch.hub (section 4 of the paper uses ViT-L/14)."""

    entry_point: str = Field("dinov2_vitl14", description="Entry point in the repository's `hubconf.py`.")
    image_size: PositiveInt = Field(224, description="Edge in pixels to which images are resized (bicubic).")


class BackboneModel(ModelSource):
    """An image classifier of transformers whose frozen features the linear heads are trained on."""


class Models(Block):
    """The four pretrained models of a run."""

    diffusion: DiffusionModel
    llama: LlamaModel | None = Field(None, description="Needed by prompt sets only.")
    features: FeatureModel
    backbone: BackboneModel

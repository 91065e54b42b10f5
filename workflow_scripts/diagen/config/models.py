"""The pretrained models of a run: each named by a local path, or by a hub id and a revision."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from diagen.config.base import Block, FilePath, PositiveInt

MODELS = Path("models")
"""The folder, in the working directory, into which models are downloaded."""


class ModelSource(Block):
    """The source of a model's files. Exactly one of `path` and `repository` is set."""

    path: FilePath | None = Field(
        None, description="Local file or folder of the model, relative to the working directory."
    )
    repository: str | None = Field(None, description="Hub id, such as `CompVis/stable-diffusion-v1-4`.")
    revision: str | None = Field(
        None, description="Commit of the hub repository, 40 hexadecimal digits; required with `repository`."
    )
    sha256: str | None = Field(
        None,
        description="Hash of the local files. The workflow fills it in, so that other weights give other results; "
        "if set, the files are checked against it.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.repository is None):
            raise ValueError("set either `path` (local files) or `repository` with `revision` (a hub), not both")
        if self.repository is not None and self.revision is None:
            raise ValueError("`repository` without `revision`; set `revision` to a commit of the repository")
        return self

    @property
    def folder(self) -> Path | None:
        """The download folder of a repository's files: one per revision and part; `None` for a local path."""
        if self.repository is None:
            return None
        parts = (self.repository.replace("/", "--"), str(self.revision)[:12], *self._part())
        return MODELS / "--".join(parts)

    @property
    def location(self) -> Path:
        """The file or folder of the model, relative to the working directory."""
        return self.folder or Path(str(self.path))

    def _part(self) -> tuple[str, ...]:
        """The downloaded part of a repository, if not all of it, to tell its folders apart."""
        return ()


class DiffusionModel(ModelSource):
    """A Stable Diffusion 1.x or 2.x in the layout of diffusers."""

    variant: str | None = Field(None, description="Variant of the weight files, such as `fp16`.")
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Precision of the weights and activations while images are generated."
    )
    image_size: PositiveInt = Field(512, multiple_of=8, description="Edge of the images in pixels (paper: 512).")

    @property
    def identity(self) -> str:
        """The weights, wherever their files are: hash, or repository and commit, and the variant if there is one."""
        weights = self.sha256 or f"{self.repository}@{self.revision}"
        return f"{weights}/{self.variant}" if self.variant else weights

    def _part(self) -> tuple[str, ...]:
        return (self.variant,) if self.variant else ()


class _SingleFile(ModelSource):
    """A model that may be a single file of a repository."""

    file: str | None = None

    @property
    def location(self) -> Path:
        """The file of the repository if one is named, else as for all models."""
        return self.folder / self.file if self.folder and self.file else super().location

    def _part(self) -> tuple[str, ...]:
        return (Path(self.file).stem,) if self.file else ()


class LlamaModel(_SingleFile):
    """A language model in a GGUF file, run by llama.cpp."""

    file: str | None = Field(None, description="Name of the GGUF file inside a hub repository.")
    context: PositiveInt = Field(2048, description="Context length in tokens.")


class FeatureModel(ModelSource):
    """A feature extractor with DINOv2's interface, loaded by torch.hub (section 4 of the paper uses ViT-L/14).

    Its `repository` is a GitHub repository with the code; the weights are a separate file.
    """

    entry_point: str = Field("dinov2_vitl14", description="Entry point in the repository's `hubconf.py`.")
    weights: str | None = Field(
        None,
        description="Weights of the entry point: with `repository` their download URL, with `path` the name of the "
        "file in that folder. If omitted, the entry point reads its own weights from its folder.",
    )
    image_size: PositiveInt = Field(224, description="Edge in pixels to which images are resized (bicubic).")

    @property
    def weights_file(self) -> Path | None:
        """The local file of the weights; `None` if they are not named."""
        return self.location / self.weights.rsplit("/", 1)[-1] if self.weights else None

    def _part(self) -> tuple[str, ...]:
        return (self.entry_point,)


class BackboneModel(_SingleFile):
    """An image classifier on whose frozen features the linear heads are trained.

    A folder (or repository) contains a model of transformers; a single file, a ResNet with torchvision's names.
    """

    file: str | None = Field(
        None, description="Weight file of a ResNet with torchvision's names inside a hub repository."
    )


class Models(Block):
    """The four pretrained models of a run."""

    diffusion: DiffusionModel
    llama: LlamaModel | None = Field(None, description="Only needed by prompt sets with source llama or composed.")
    features: FeatureModel
    backbone: BackboneModel

    def sources(self) -> dict[str, ModelSource]:
        """The configured models by key."""
        return {name: model for name, model in self if isinstance(model, ModelSource)}

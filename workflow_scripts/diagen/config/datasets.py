"""The datasets: the folder of the photos, its layout and its splits. One block per adapter."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, Tag, model_validator

from diagen.config.base import (
    NUMBER,
    OTHER,
    WORD,
    Block,
    FilePath,
    NaturalFloat,
    PlannedPath,
    PositiveFloat,
    PositiveInt,
    Seed,
    or_word,
)

MOST_FOLDS = 1000
Split = Literal["train_val", "val", "test", "test_uncommon"]


class Photos(Block):
    """The common keys of all datasets of photos."""

    adapter: str
    root: FilePath = Field(description="Folder of the dataset, relative to the working directory.")
    classes: tuple[str, ...] | None = Field(None, description="Use only these classes; all if omitted.")
    on_bad_image: Literal["fail", "skip"] = Field(
        "fail",
        description="On a file that cannot be read as an image: report it and stop, or leave it out and count it.",
    )


class ImageFolder(Photos):
    """One folder per class, inside one folder per split or not; or any folders, with a table of splits."""

    adapter: Literal["image_folder"]
    train_val: FilePath = Field("train-val", description="Name of the folder with the images for shots and validation.")
    val: FilePath | None = Field(
        None, description="Name of a folder with validation images; without one, the rest of `train_val` validates."
    )
    test: Annotated[FilePath | None, BeforeValidator(lambda name: None if name == "none" else name)] = Field(
        "test",
        description="Name of the folder with test images. `none`: there are none, and all images, in `<root>/<class>/` "
        "or in the folder `train_val`, are for shots and validation; `evaluation.folds` then tests on them.",
    )
    test_uncommon: FilePath | None = Field(
        "test_uncommon", description="Name of the folder with test images in uncommon settings; optional."
    )
    test_per_class: PositiveInt | None = Field(
        None, description="Without split folders (`<root>/<class>/`): test images drawn from each class."
    )
    split_seed: Seed = Field(0, description="Seed of that draw.")
    split_table: PlannedPath | None = Field(
        None,
        description="Instead of split folders: CSV file with the columns `path` (from `root`), `split` (`train_val`, "
        "`val`, `test` or `test_uncommon`) and optionally `class` (default: the name of the file's folder).",
    )

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        if self.split_table is not None and self.test_per_class is not None:
            raise ValueError("`split_table` and `test_per_class` both define the test images; remove one of them")
        split_folders = ("train_val", "val", "test", "test_uncommon")
        named = [name for name in split_folders if getattr(self, name) != type(self).model_fields[name].default]
        if self.test is None and self.test_per_class is None:
            others = [f"`{name}`" for name in named if name not in ("train_val", "test")]
            if others:
                raise ValueError(f"`test: none` uses one folder of images; remove {' and '.join(others)}")
            if self.split_table is not None and named == ["test"]:
                return self
        if named and (self.split_table is not None or self.test_per_class is not None):
            layout = "split_table" if self.split_table is not None else "test_per_class"
            raise ValueError(
                f"split folders cannot be combined with `{layout}`; remove {' and '.join(f'`{n}`' for n in named)}"
            )
        return self


class CustomCoco(Photos):
    """Custom COCO as downloaded: `train-val`, `test` and optionally `test_uncommon_context` (section 4)."""

    adapter: Literal["custom_coco"]


class Focus(Photos):
    """FOCUS as downloaded: folders `<class>-<setting>` and `annotations.db`, which corrects their classes."""

    adapter: Literal["focus"]
    train_val_per_class: PositiveInt = Field(
        108,
        description="Images per class for shots and validation, drawn by `split_seed`; the rest tests (paper: 108).",
    )
    split_seed: Seed = Field(0, description="Seed of the split.")


class Coco(Photos):
    """MS COCO 2017 as downloaded: `train2017`, `val2017`, `annotations`. An image's largest object is its class."""

    adapter: Literal["coco"]
    crowds: bool = Field(False, description="Whether a crowd annotation may determine the class.")
    test_fraction: PositiveFloat = Field(
        0.5, lt=1, description="Share of each class's images in val2017 for testing; the others validate."
    )
    split_seed: Seed = Field(0, description="Seed of that draw.")


class DrawnWorld(Block):
    """The drawn world of the demo: an image folder that the workflow draws from a seed."""

    adapter: Literal["drawn_world"]
    root: PlannedPath = Field(description="Folder to draw into, relative to the working directory.")
    seed: Seed = Field(description="Seed of the scenes.")
    classes: tuple[str, ...] = Field(min_length=2, description="Classes of the world to draw.")
    train_val_per_class: PositiveInt = Field(24, description="Images per class for shots and validation.")
    test_per_class: PositiveInt = Field(40, description="Test images per class, in the class's common places.")
    test_uncommon_per_class: PositiveInt = Field(40, description="Test images per class, in uncommon places.")


Dataset = Annotated[ImageFolder | CustomCoco | Focus | Coco | DrawnWorld, Field(discriminator="adapter")]


class Evaluation(Block):
    """How methods are tested on datasets without test images (`test: none`): by cross-validation."""

    folds: Annotated[
        Annotated[Literal["leave_one_out"], Tag(WORD)]
        | Annotated[Annotated[int, Field(ge=2, le=MOST_FOLDS), NUMBER], Tag(OTHER)],
        or_word("leave_one_out"),
    ] = Field(
        description="Parts of each class's images, drawn by each seed. Each part is tested once, by methods that see "
        "only the others. `leave_one_out`: as many parts as the largest class has images.",
    )


class Leakage(Block):
    """The search for duplicates between shots, validation images and test images."""

    near_distance: NaturalFloat = Field(
        0.05,
        le=2,
        description="Largest distance (1 - cosine) between the features of near-duplicates.",
    )

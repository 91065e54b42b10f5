"""How much time and memory a job asks for, reckoned from the work that it has to do. Free of torch.

A scheduler kills a job that exceeds what it asked for, and lets one that asks for much wait long. So requests are some
times what is expected, and grow with each attempt: too small a request costs a retry, which goes on where it stopped.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from diagen.config import Config
from diagen.config.models import ModelSource
from diagen.errors import InputError
from diagen.files.tables import read_rows
from diagen.preflight.estimate import ASSUMED_TFLOPS, ImageCounts, Operations, Work, all_work
from diagen.preflight.operations import DINOV2, PAPERS_BACKBONE, PAPERS_DIFFUSION, DiffusionOperations

MARGIN = 4.0  # a GPU four times as slow as the one that `ASSUMED_TFLOPS` is of
START_MINUTES = 30  # models and photos are read, perhaps from a slow disk
VIEW_SECONDS = 0.005  # a photo is decoded or augmented for a classifier, on two CPU threads
PROMPT_SECONDS = 15.0  # a 7B language model writes a prompt, on two CPU threads
COUNTED = ("class", "split")  # columns of the table of images
BEFORE_INDEXED = ImageCounts(20, {"train_val": 2_000, "test": 1_000})  # a guess, until the dataset has been read

PROGRAM_MB = 4_000  # Python, torch and CUDA's libraries, and the two Snakemakes that start a program on a cluster
PHOTO_MB = 4.0  # a photo as it is decoded, some 1200 x 1200 pixels
PASS_MB = 1_500  # what the VAE holds for an image of 512 pixels, where it is decoded on the CPU
CONTEXT_MB = 0.5  # what a 7B language model holds for a token of its context
UNFETCHED_MB = {"diffusion": 4_300, "llama": 4_100, "features": 1_200, "backbone": 100}  # the paper's models


class Needs:
    """What the jobs of an experiment ask for. `images` tells where a dataset's table of images is, or will be.

    Rules and wildcards are named as in the rules; `attempt` counts from 1.
    """

    def __init__(self, config: Config, images: Callable[[str], Path]) -> None:
        self.config = config
        self.images = images
        self._counts: dict[tuple[str, int | None], ImageCounts] = {}
        self._work: dict[tuple[str, int | None], dict[tuple[str, frozenset[tuple[str, str]]], Work]] = {}

    def minutes(self, rule: str, wildcards: Mapping[str, str], attempt: int) -> int:
        """The run time of a job that runs a model: operations at an assumed rate, and the images that are read."""
        execution = self.config.execution
        work = self._jobs(wildcards["dataset"]).get((rule, frozenset(wildcards.items())))
        seconds = 0.0
        if rule == "write_prompts":
            per_class = getattr(self.config.prompts[wildcards["prompt_set"]], "per_class", 0)
            seconds = self.counts(wildcards["dataset"]).classes * per_class * PROMPT_SECONDS
        elif work is not None:  # else a block that no method uses, asked for by name
            single = ASSUMED_TFLOPS["cpu"] * execution.torch_threads
            rate = single if execution.device == "cpu" else ASSUMED_TFLOPS["half" if work.half else "single"]
            seconds = work.tflop / rate / self._shards(rule)
            if "diffusion" not in _models_of(rule):
                operations = self._operations()
                views = work.tflop / (operations.features if "features" in _models_of(rule) else operations.backbone)
                seconds += views * VIEW_SECONDS
        return attempt * math.ceil(START_MINUTES + MARGIN * seconds / 60)

    def megabytes(self, rule: str, wildcards: Mapping[str, str], attempt: int) -> int:
        """The memory of a job that runs a model: weights (twice, while they are read) and the images that it holds."""
        config = self.config
        process = PROGRAM_MB + sum(2 * self._weights_mb(name) for name in _models_of(rule))
        if "diffusion" in _models_of(rule) and config.execution.device == "cpu":
            process += PASS_MB * config.execution.micro_batch * (config.models.diffusion.image_size / 512) ** 2
        if rule == "write_prompts" and config.models.llama:
            process += CONTEXT_MB * config.models.llama.context
        return attempt * math.ceil(process * self._shards(rule) + self._images_mb(rule, wildcards))

    def counts(self, dataset: str) -> ImageCounts:
        """Classes and images of a dataset: those of its table of images, or a guess where it isn't there or damaged."""
        table, version = self._table(dataset)
        if version is None:
            return BEFORE_INDEXED
        if (dataset, version) not in self._counts:
            try:
                rows = read_rows(table, COUNTED, lambda row: (row["class"], row["split"]))
                splits = Counter(split for _, split in rows)
                self._counts[dataset, version] = ImageCounts(len({name for name, _ in rows}), splits)
            except InputError:  # a job that needs the table tells it
                self._counts[dataset, version] = BEFORE_INDEXED
        return self._counts[dataset, version]

    def _table(self, dataset: str) -> tuple[Path, int | None]:
        table = self.images(dataset)
        return table, table.stat().st_mtime_ns if table.exists() else None

    def _jobs(self, dataset: str) -> dict[tuple[str, frozenset[tuple[str, str]]], Work]:
        """The dataset's jobs that run a model, by rule and wildcards."""
        key = dataset, self._table(dataset)[1]
        if key not in self._work:
            jobs = all_work(self.config, {dataset: self.counts(dataset)}, self._operations())
            self._work[key] = {(job.rule, frozenset(job.wildcards.items())): job for job in jobs}
        return self._work[key]

    def _operations(self) -> Operations:
        """Those of the paper's models, for images of the configured sizes."""
        models = self.config.models
        pixels = (models.diffusion.image_size / 512) ** 2
        paper = PAPERS_DIFFUSION
        diffusion = DiffusionOperations(paper.unet * pixels, paper.encode * pixels, paper.decode * pixels, paper.text)
        features = DINOV2.get(models.features.entry_point, DINOV2["dinov2_vitl14"])
        return Operations(
            diffusion,
            PAPERS_BACKBONE * (self.config.downstream.image_size / 256) ** 2,
            features * (models.features.image_size / 224) ** 2,
        )

    def _shards(self, rule: str) -> int:
        return self.config.execution.shards if rule in ("learn_embeddings", "generate_images") else 1

    def _weights_mb(self, name: str) -> float:
        model: ModelSource | None = getattr(self.config.models, name)
        if model is None:
            return 0.0
        if not model.location.exists():
            return UNFETCHED_MB[name]
        files = [model.location] if model.location.is_file() else model.location.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6

    def _images_mb(self, rule: str, wildcards: Mapping[str, str]) -> float:
        """The images that a classifier's training keeps: guides as they are, the others in the size of their kind."""
        if rule not in ("train_guide_classifier", "train_downstream"):
            return 0.0
        config, counts = self.config, self.counts(wildcards["dataset"])
        guides = counts.classes * int(wildcards["shots"])
        validation = counts.splits.get("val", counts.splits.get("train_val", 0))
        megabytes = guides * PHOTO_MB + validation * config.downstream.image_size**2 * 3 / 1e6
        generator = config.methods[wildcards["method"]].generator if "method" in wildcards else None
        if generator:
            images = guides * config.generators[generator].images_per_guide
            megabytes += images * config.models.diffusion.image_size**2 * 3 / 1e6
        return megabytes


def _models_of(rule: str) -> tuple[str, ...]:
    """The models, by their key in the configuration, that the rule's program loads."""
    return {
        "write_prompts": ("llama",),
        "learn_embeddings": ("diffusion",),
        "generate_images": ("diffusion",),
        "find_noise_ceilings": ("diffusion", "backbone"),
        "extract_features": ("features",),
        "extract_real_features": ("features",),
    }.get(rule, ("backbone",))

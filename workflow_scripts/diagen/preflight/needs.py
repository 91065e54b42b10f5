"""Time and memory that each job requests, computed from its work. Free of torch.

A scheduler kills a job that exceeds its request, and lets a job with a large request wait longer. Requests are
therefore several times the expected value and grow with each attempt: a request that was too small costs one retry,
which resumes the work.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from diagen.config import Config
from diagen.config.models import ModelSource
from diagen.errors import InputError
from diagen.files.tables import read_rows
from diagen.preflight.estimate import ImageCounts, JobKey, Work, all_work, guide_images
from diagen.preflight.operations import paper_operations
from diagen.preflight.rates import assumed_rates
from diagen.runtime.memory_plan import CPU_GB, passes_gb, plan_passes, vae_batch

MARGIN = 4.0  # for a machine four times slower than assumed
START_MINUTES = 30  # for reading models and photos, perhaps from a slow disk
BEFORE_INDEXED = ImageCounts(20, {"train_val": 2_000, "test": 1_000})  # a guess until the dataset is indexed

PROGRAM_MB = 4_000  # Python, torch and CUDA's libraries, and the two Snakemakes that start a program on a cluster
PHOTO_MB = 4.0  # a decoded photo of about 1200 x 1200 pixels
UNET_MB, VAE_MB = 300, 1_500  # memory of an image of 512 pixels on the CPU: in the UNet with guidance, in the decoder
CONTEXT_MB = 0.5  # memory of a 7B language model per token of its context
DOWNLOAD_MB = {"diffusion": 4_300, "llama": 4_100, "features": 1_200, "backbone": 100}  # the paper's models
RGB_BYTES = 3
FEATURES_MB = 2048 * 4 / 1e6  # of one view, by ResNet-50
LOADED_MODELS = {
    "write_prompts": ("llama",),
    "learn_embeddings": ("diffusion",),
    "generate_images": ("diffusion",),
    "find_noise_ceilings": ("diffusion", "backbone"),
    "train_guide_classifier": ("backbone",),
    "score_images": ("backbone",),
    "train_downstream": ("backbone",),
    "extract_features": ("features",),
    "extract_real_features": ("features",),
}
"""The models that each rule's program loads, by their key in the configuration."""


class Needs:
    """The requests of an experiment's jobs. `images` returns the path of a dataset's table of images.

    Rules and wildcards have the names that they have in the rules; `attempt` counts from 1.
    """

    def __init__(self, config: Config, images: Callable[[str], Path]) -> None:
        self.config = config
        self.images = images
        self._operations = paper_operations(config)
        self._datasets: dict[tuple[str, int], tuple[ImageCounts, dict[JobKey, Work]]] = {}

    def minutes(self, rule: str, wildcards: Mapping[str, str], attempt: int) -> int:
        """The run time of a job that runs a model: operations at an assumed rate, and reading the images."""
        execution = self.config.execution
        _, jobs = self._dataset(wildcards["dataset"])
        work = jobs.get((rule, frozenset(wildcards.items())))
        seconds = 0.0
        if work is not None:  # otherwise a requested block that no method uses
            device = "cuda" if execution.device == "auto" else execution.device
            seconds = work.seconds(assumed_rates(device, execution.torch_threads)) / self._shards(rule)
        return attempt * math.ceil(START_MINUTES + MARGIN * seconds / 60)

    def megabytes(self, rule: str, wildcards: Mapping[str, str], attempt: int) -> int:
        """The memory of a job that runs a model: its weights (twice, while they are read) and its images."""
        models, execution = self.config.models, self.config.execution
        process = PROGRAM_MB + sum(2 * self._weights_mb(name) for name in LOADED_MODELS[rule])
        if "diffusion" in LOADED_MODELS[rule] and execution.device == "cpu":
            size, rows = models.diffusion.image_size, execution.micro_batch
            process += (UNET_MB * rows + VAE_MB * vae_batch(rows, size)) * (size / 512) ** 2
        if rule == "learn_embeddings" and execution.device == "cpu":
            process += self._learning_mb(wildcards["embedding"])
        if rule == "write_prompts" and models.llama:
            process += CONTEXT_MB * models.llama.context
        return attempt * math.ceil(process * self._shards(rule) + self._images_mb(rule, wildcards))

    def counts(self, dataset: str) -> ImageCounts:
        """Classes and images of a dataset from its table of images; a guess if that is missing or damaged."""
        return self._dataset(dataset)[0]

    def _dataset(self, dataset: str) -> tuple[ImageCounts, dict[JobKey, Work]]:
        """The counts of a dataset and its jobs that run a model, kept until its table of images changes."""
        table = self.images(dataset)
        key = dataset, table.stat().st_mtime_ns if table.exists() else 0
        if key not in self._datasets:
            counts = _read_counts(table)
            jobs = all_work(self.config, {dataset: counts}, self._operations)
            self._datasets[key] = counts, {job.key: job for job in jobs}
        return self._datasets[key]

    def _shards(self, rule: str) -> int:
        return self.config.execution.shards if rule in ("learn_embeddings", "generate_images") else 1

    def _weights_mb(self, name: str) -> float:
        model: ModelSource | None = getattr(self.config.models, name)
        if model is None:
            return 0.0
        if not model.location.exists():
            return DOWNLOAD_MB[name]
        files = [model.location] if model.location.is_file() else model.location.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6

    def _learning_mb(self, embedding: str) -> float:
        """The peak of a pass that learns words on the CPU."""
        block, model = self.config.embeddings[embedding], self.config.models.diffusion
        dtype = "float32" if block.dtype == "auto" else block.dtype
        weights = self._weights_mb("diffusion") / 1e3
        passes = plan_passes(
            self.config.execution.words_together * block.batch,
            dtype=dtype,
            image_size=model.image_size,
            weights_gb=weights,
            memory_gb=CPU_GB,
        )
        return 1e3 * passes_gb(passes, dtype=dtype, image_size=model.image_size, weights_gb=weights)

    def _images_mb(self, rule: str, wildcards: Mapping[str, str]) -> float:
        """What a classifier's training keeps in memory: guide images in full size, others in the configured size.

        With cached views, also their features.
        """
        if rule not in ("train_guide_classifier", "train_downstream"):
            return 0.0
        config, counts = self.config, self.counts(wildcards["dataset"])
        guides = guide_images(config, counts, int(wildcards["shots"]))
        validation = counts.splits.get("val", counts.splits.get("train_val", 0))
        megabytes = guides * PHOTO_MB + validation * config.downstream.image_size**2 * RGB_BYTES / 1e6
        if "method" not in wildcards:
            return megabytes
        generator, recipe = config.methods[wildcards["method"]].generator, config.recipe_of(wildcards["method"])
        images = guides * config.generators[generator].images_per_guide if generator else 0
        megabytes += images * config.models.diffusion.image_size**2 * RGB_BYTES / 1e6
        return megabytes + (guides + images) * (recipe.cached_views or 0) * FEATURES_MB


def _read_counts(table: Path) -> ImageCounts:
    if not table.exists():
        return BEFORE_INDEXED
    try:
        rows = read_rows(table, ("class", "split"), lambda row: (row["class"], row["split"]))
    except InputError:  # reported by the jobs that need the table
        return BEFORE_INDEXED
    return ImageCounts(len({name for name, _ in rows}), Counter(split for _, split in rows))

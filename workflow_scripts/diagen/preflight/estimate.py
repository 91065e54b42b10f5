"""The work of an experiment in operations per job, and its time at measured or assumed rates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from diagen.config import Config, Downstream, Generator, GuideClassifier, NoiseCeiling
from diagen.config.prompt_sets import asks_llama
from diagen.files.benchmarks import read_benchmarks
from diagen.preflight.operations import Operations
from diagen.preflight.rates import Kind, Rates
from diagen.schedules import kept_steps

BACKWARD = 1.27  # of a forward pass: gradients of inputs only, attention twice (7.3 TFLOP a step of batch 4)
BYTES_PER_PIXEL = 2.0  # of a photo as PNG at level 1
JobKey = tuple[str, frozenset[tuple[str, str]]]
"""A job's rule and wildcards."""


@dataclass(frozen=True)
class ImageCounts:
    """The number of classes of a dataset, and of its images by split."""

    classes: int
    splits: Mapping[str, int]


@dataclass(frozen=True)
class Work:
    """A job: its rule, its wildcards as in benchmark files, its TFLOP and their kind.

    `read` is the number of images that it reads from files or writes, `augmented` that of random views for training.
    """

    rule: str
    wildcards: Mapping[str, str]
    tflop: float
    kind: Kind = "single"
    read: int = 0
    augmented: int = 0

    @property
    def key(self) -> JobKey:
        """The job's rule and wildcards."""
        return self.rule, frozenset(self.wildcards.items())

    def seconds(self, rates: Rates) -> float:
        """The time of the job at assumed rates."""
        return rates.seconds(self.kind, self.tflop, self.read, self.augmented)


@dataclass(frozen=True)
class Estimate:
    """A stage: its jobs to run, their mean TFLOP, their hours, and the number of measured jobs."""

    rule: str
    jobs: int
    tflop: float
    hours: float
    measured: int


def all_work(config: Config, counts: Mapping[str, ImageCounts], operations: Operations) -> Iterator[Work]:
    """Every job of the experiment that spends its time in a model; rules first occur in the order of the stages."""
    for dataset, found in counts.items():
        for name in config.used_blocks()["prompts"]:
            block = config.prompts[name]
            if asks_llama(block):
                prompts = found.classes * block.per_class
                wildcards = {"dataset": dataset, "prompt_set": name}
                yield Work("write_prompts", wildcards, prompts * operations.prompt, "text")
        for seed, shots in product(config.cell_seeds, config.shot_counts):
            cell = {"dataset": dataset, "seed": str(seed), "shots": str(shots)}
            yield from _cell_work(config, cell, found, shots, operations)
        if (ladder := config.ladder_generator()) is not None:
            levels, kind = len(config.ladder_levels()), _kind_of_generation(config)
            tflop = levels * _image_tflop(config.generators[ladder], operations) + operations.encode
            yield Work("draw_noise_ladder", {"dataset": dataset}, tflop, kind, read=levels)
        if config.used_blocks()["generators"]:
            real = sum(count for split, count in found.splits.items() if split != "test_uncommon")
            yield Work("extract_real_features", {"dataset": dataset}, real * operations.features, read=real)


def _cell_work(
    config: Config, cell: dict[str, str], found: ImageCounts, shots: int, operations: Operations
) -> Iterator[Work]:
    guides = guide_images(config, found, shots)
    rest = found.splits.get("train_val", 0) - tested_by_fold(config, found) - found.classes * config.guide_pool
    validation = found.splits.get("val") or max(found.classes if config.needs_validation else 0, rest)
    tests = found.splits.get("test", 0) + found.splits.get("test_uncommon", 0) + tested_by_fold(config, found)
    evaluated = validation + tests
    kind = _kind_of_generation(config)
    used = config.used_blocks()
    for name in used["embeddings"]:
        embedding = config.embeddings[name]
        steps = found.classes * embedding.steps * embedding.batch * (1 + BACKWARD)
        tflop = steps * (operations.unet + operations.text) + 2 * guides * operations.encode
        words: Kind = "single" if embedding.dtype == "float32" else "half"
        yield Work("learn_embeddings", cell | {"embedding": name}, tflop, words, read=guides)
    for name in used["noise_ceilings"]:
        ceiling = config.noise_ceilings[name]
        tried = 1 + math.ceil(math.log2(len(ceiling.levels) + 1))
        tflop = found.classes * ceiling.images_per_level * tried * _image_tflop(ceiling, operations)
        yield Work("find_noise_ceilings", cell | {"noise_ceiling": name}, tflop, kind)
    for name in used["generators"]:
        generator = config.generators[name]
        images = guides * generator.images_per_guide
        tflop = images * _image_tflop(generator, operations) + guides * operations.encode
        yield Work("generate_images", cell | {"generator": name}, tflop, kind, read=guides + images)
    for name in used["guide_classifiers"]:
        yield _training(
            "train_guide_classifier",
            cell | {"guide_classifier": name},
            config.guide_classifiers[name],
            guides,
            validation,
            operations,
        )
    for name, weighting in config.weighted_sets():
        views = guides * config.generators[name].images_per_guide * max(1, config.weightings[weighting].views)
        wildcards = cell | {"generator": name, "weighting": weighting}
        yield Work("score_images", wildcards, views * operations.backbone, read=views)
    for name, method in config.methods.items():
        synthetic = guides * config.generators[method.generator].images_per_guide if method.generator else 0
        yield _training(
            "train_downstream",
            cell | {"method": name},
            config.recipe_of(name),
            guides + synthetic,
            evaluated,
            operations,
        )
    photos = guides + evaluated
    yield Work("fit_baselines", cell, photos * operations.backbone, read=photos)
    for name in used["generators"]:
        images = guides * config.generators[name].images_per_guide
        yield Work("extract_features", cell | {"generator": name}, images * operations.features, read=images)


def _kind_of_generation(config: Config) -> Kind:
    return "single" if config.models.diffusion.dtype == "float32" else "half"


def _training(
    rule: str,
    wildcards: Mapping[str, str],
    block: GuideClassifier | Downstream,
    images: int,
    evaluated: int,
    operations: Operations,
) -> Work:
    """The training of a classifier on a number of `images`: random views of them, and those `evaluated` once."""
    cached = block.cached_views if isinstance(block, Downstream) else None
    views = images * cached if cached else block.epochs * block.iterations * block.batch
    tflop = (views + evaluated) * operations.backbone
    return Work(rule, wildcards, tflop, read=images + evaluated, augmented=views)


def _image_tflop(block: Generator | NoiseCeiling, operations: Operations) -> float:
    """TFLOP of one generated image, including guidance and decoding."""
    evaluations = unet_evaluations(block.inference_steps, block.strength)
    return 2 * evaluations * operations.unet + operations.decode + 2 * operations.text


def unet_evaluations(steps: int, strength: float) -> int:
    """The number of UNet evaluations per image, each with and without the prompt."""
    return kept_steps(steps, strength) + (1 if steps > 1 else 0)  # PNDM repeats the second one


def synthetic_images(config: Config, counts: Mapping[str, ImageCounts]) -> int:
    """The number of synthetic images of the experiment."""
    guides = sum(guide_images(config, found, shots) for found in counts.values() for shots in config.shot_counts)
    return (
        len(config.cell_seeds)
        * guides
        * sum(config.generators[name].images_per_guide for name in config.used_blocks()["generators"])
    )


def tested_by_fold(config: Config, found: ImageCounts) -> int:
    """The number of images of a fold, which its cell tests; 0 without folds."""
    return math.ceil(found.splits.get("train_val", 0) / config.folds) if config.folds > 1 else 0


def guide_images(config: Config, found: ImageCounts, shots: int) -> int:
    """The number of guide images of a cell; with `shots: all` an upper bound, since counts of classes may differ."""
    asked = found.classes * shots
    training = found.splits.get("train_val", 0) - tested_by_fold(config, found)
    return min(asked, training) if config.takes_all_shots else asked


def measured_seconds(benchmarks: Path) -> dict[JobKey, float]:
    """Seconds of each completed job of this experiment, by rule and wildcards, from its benchmark files."""
    return {
        (record["rule_name"], frozenset(record["wildcards"].items())): float(record["s"])
        for record in read_benchmarks(benchmarks)
    }


def estimate(
    work: Sequence[Work], jobs: Mapping[str, int], seconds: Mapping[JobKey, float], assumed: Rates
) -> list[Estimate]:
    """The time of each stage with jobs to run (`jobs`: their number by rule), at the `assumed` rates.

    If jobs of a stage were measured, its time is multiplied by their measured over their assumed seconds, so that
    larger jobs have more weight.
    """
    estimates = []
    for rule in dict.fromkeys(job.rule for job in work if jobs.get(job.rule)):
        of_rule = [job for job in work if job.rule == rule]
        measured = [job for job in of_rule if job.key in seconds]
        waiting = [job for job in of_rule if job.key not in seconds] or of_rule
        mean_seconds = sum(job.seconds(assumed) for job in waiting) / len(waiting)
        spent = sum(seconds[job.key] for job in measured)
        expected = sum(job.seconds(assumed) for job in measured)
        slower = spent / expected if spent and expected else 1.0
        tflop = sum(job.tflop for job in waiting) / len(waiting)
        estimates.append(Estimate(rule, jobs[rule], tflop, jobs[rule] * mean_seconds * slower / 3600, len(measured)))
    return estimates

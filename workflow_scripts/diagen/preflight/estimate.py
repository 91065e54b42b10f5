"""The work of an experiment in operations per job, and its time at measured or assumed rates."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from diagen.config import Config, Downstream, Generator, GuideClassifier, NoiseCeiling
from diagen.preflight.operations import Operations
from diagen.schedules import kept_steps

BACKWARD = 1.27  # of a forward pass: gradients of inputs only, attention twice (7.3 TFLOP a step of batch 4)
BYTES_PER_PIXEL = 2.0  # of a photo as PNG at level 1
ASSUMED_TFLOPS = {"half": 100.0, "single": 25.0, "cpu": 0.03}
"""Sustained TFLOP/s: an H100-class GPU in half and single precision, and one CPU thread."""
JobKey = tuple[str, frozenset[tuple[str, str]]]
"""A job's rule and wildcards."""


@dataclass(frozen=True)
class ImageCounts:
    """The number of classes of a dataset, and of its images by split."""

    classes: int
    splits: Mapping[str, int]


@dataclass(frozen=True)
class Work:
    """A job: its rule, its wildcards as in benchmark files, its TFLOP, and whether it runs in half precision."""

    rule: str
    wildcards: Mapping[str, str]
    tflop: float
    half: bool = False

    @property
    def key(self) -> JobKey:
        """The job's rule and wildcards."""
        return self.rule, frozenset(self.wildcards.items())


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
        for seed, shots in product(config.seeds, config.shots):
            cell = {"dataset": dataset, "seed": str(seed), "shots": str(shots)}
            yield from _cell_work(config, cell, found, shots, operations)
        if config.used_blocks()["generators"]:
            real = sum(count for split, count in found.splits.items() if split != "test_uncommon")
            yield Work("extract_real_features", {"dataset": dataset}, real * operations.features)


def _cell_work(
    config: Config, cell: dict[str, str], found: ImageCounts, shots: int, operations: Operations
) -> Iterator[Work]:
    guides = found.classes * shots
    rest = max(found.classes, found.splits.get("train_val", 0) - found.classes * config.guide_pool)
    validation = found.splits.get("val") or rest
    evaluated = validation + found.splits.get("test", 0) + found.splits.get("test_uncommon", 0)
    half = config.models.diffusion.dtype != "float32"
    used = config.used_blocks()
    for name in used["embeddings"]:
        embedding = config.embeddings[name]
        steps = found.classes * embedding.steps * embedding.batch * (1 + BACKWARD)
        tflop = steps * (operations.unet + operations.text) + 2 * guides * operations.encode
        yield Work("learn_embeddings", cell | {"embedding": name}, tflop, half=embedding.dtype != "float32")
    for name in used["noise_ceilings"]:
        ceiling = config.noise_ceilings[name]
        tried = 1 + math.ceil(math.log2(len(ceiling.levels) + 1))
        tflop = found.classes * ceiling.images_per_level * tried * _image_tflop(ceiling, operations)
        yield Work("find_noise_ceilings", cell | {"noise_ceiling": name}, tflop, half=half)
    for name in used["generators"]:
        generator = config.generators[name]
        images = guides * generator.images_per_guide
        tflop = images * _image_tflop(generator, operations) + guides * operations.encode
        yield Work("generate_images", cell | {"generator": name}, tflop, half=half)
    for name in used["guide_classifiers"]:
        tflop = (_drawn_images(config.guide_classifiers[name]) + validation) * operations.backbone
        yield Work("train_guide_classifier", cell | {"guide_classifier": name}, tflop)
    for name, weighting in config.weighted_sets():
        views = guides * config.generators[name].images_per_guide * max(1, config.weightings[weighting].views)
        yield Work("score_images", cell | {"generator": name, "weighting": weighting}, views * operations.backbone)
    for name in config.methods:
        tflop = (_drawn_images(config.recipe_of(name)) + evaluated) * operations.backbone
        yield Work("train_downstream", cell | {"method": name}, tflop)
    for name in used["generators"]:
        images = guides * config.generators[name].images_per_guide
        yield Work("extract_features", cell | {"generator": name}, images * operations.features)


def _drawn_images(block: GuideClassifier | Downstream) -> int:
    return block.epochs * block.iterations * block.batch


def _image_tflop(block: Generator | NoiseCeiling, operations: Operations) -> float:
    """TFLOP of one generated image, including guidance and decoding."""
    evaluations = unet_evaluations(block.inference_steps, block.strength)
    return 2 * evaluations * operations.unet + operations.decode + 2 * operations.text


def unet_evaluations(steps: int, strength: float) -> int:
    """The number of UNet evaluations per image, each with and without the prompt."""
    return kept_steps(steps, strength) + (1 if steps > 1 else 0)  # PNDM repeats the second one


def synthetic_images(config: Config, counts: Mapping[str, ImageCounts]) -> int:
    """The number of synthetic images of the experiment."""
    guides = sum(found.classes * shots * len(config.seeds) for found in counts.values() for shots in config.shots)
    return guides * sum(config.generators[name].images_per_guide for name in config.used_blocks()["generators"])


def measured_seconds(benchmarks: Path) -> dict[JobKey, float]:
    """Seconds of each completed job of this experiment, by rule and wildcards, from its benchmark files."""
    seconds = {}
    for path in sorted(benchmarks.rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            seconds[record["rule_name"], frozenset(record["wildcards"].items())] = float(record["s"])
    return seconds


def estimate(
    work: Sequence[Work], jobs: Mapping[str, int], seconds: Mapping[JobKey, float], assumed: Mapping[str, float]
) -> list[Estimate]:
    """The time of each stage with jobs to run (`jobs`: their number by rule).

    The rate of a stage is that of its measured jobs (operations over seconds, so that larger cells have more weight);
    without measured jobs, the `assumed` TFLOP/s in `half` or `single` precision.
    """
    estimates = []
    for rule in dict.fromkeys(job.rule for job in work if jobs.get(job.rule)):
        of_rule = [job for job in work if job.rule == rule]
        measured = [job for job in of_rule if job.key in seconds]
        waiting = [job for job in of_rule if job.key not in seconds] or of_rule
        mean = sum(job.tflop for job in waiting) / len(waiting)
        rate = assumed["half" if of_rule[0].half else "single"]
        spent = sum(seconds[job.key] for job in measured)
        if spent > 0:
            rate = sum(job.tflop for job in measured) / spent
        hours = jobs[rule] * mean / rate / 3600 if rate else 0.0
        estimates.append(Estimate(rule, jobs[rule], mean, hours, len(measured)))
    return estimates

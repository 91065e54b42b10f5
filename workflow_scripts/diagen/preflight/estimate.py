"""How much work an experiment is, and how long it takes: operations per job, and rates measured or assumed."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from diagen.config import Config, Generator, NoiseCeiling
from diagen.preflight.operations import DiffusionOperations

BACKWARD = 1.27  # of a pass forward: gradients by inputs only, attention twice (7.3 TFLOP a step of batch 4)
BYTES_PER_PIXEL = 2.0  # of a photo as PNG at level 1
ASSUMED_TFLOPS = {"half": 100.0, "single": 25.0, "cpu": 0.03}
"""Sustained TFLOP/s: an H100-class GPU in half and single precision, and a thread of a CPU."""


RULES = (
    "learn_embeddings",
    "find_noise_ceilings",
    "generate_images",
    "train_guide_classifier",
    "score_images",
    "train_downstream",
    "extract_features",
    "extract_real_features",
)
"""The rules whose time is spent in a model, in the order of the stages."""


@dataclass(frozen=True)
class Operations:
    """TFLOP of one pass of each model over one image (or text)."""

    diffusion: DiffusionOperations
    backbone: float
    features: float


@dataclass(frozen=True)
class ImageCounts:
    """A dataset's number of classes, and of images by split."""

    classes: int
    splits: Mapping[str, int]


@dataclass(frozen=True)
class Work:
    """A job: its rule, its wildcards as a benchmark names them, its operations, and whether in half precision."""

    rule: str
    wildcards: Mapping[str, str]
    tflop: float
    half: bool = False


@dataclass(frozen=True)
class Estimate:
    """A stage's jobs that are to run, the operations of one (mean, TFLOP), their hours, and where the rate is from."""

    rule: str
    jobs: int
    tflop: float
    hours: float
    measured: int


def all_work(config: Config, counts: Mapping[str, ImageCounts], operations: Operations) -> list[Work]:
    """Every job of the experiment whose time is spent in a model, in the order of the stages."""
    work = []
    features = operations.features
    generators = {method.generator for method in config.methods.values() if method.generator}
    for dataset, found in counts.items():
        if generators:
            real = sum(count for split, count in found.splits.items() if split != "test_uncommon")
            work.append(Work("extract_real_features", {"dataset": dataset}, real * features))
        for seed, shots in product(config.seeds, config.shots):
            cell = {"dataset": dataset, "seed": str(seed), "shots": str(shots)}
            work += _cell_work(config, cell, found, shots, operations)
    return sorted(work, key=lambda job: RULES.index(job.rule))


def _cell_work(
    config: Config, cell: dict[str, str], found: ImageCounts, shots: int, operations: Operations
) -> Iterable[Work]:
    passes, head = operations.diffusion, operations.backbone
    guides = found.classes * shots
    rest = max(found.classes, found.splits.get("train_val", 0) - found.classes * config.guide_pool)
    validation = found.splits.get("val") or rest
    evaluated = validation + found.splits.get("test", 0) + found.splits.get("test_uncommon", 0)
    generators = dict.fromkeys(method.generator for method in config.methods.values() if method.generator)
    ceilings = dict.fromkeys(config.generators[name].noise_ceiling for name in generators)
    ceilings.pop(None, None)
    learned = dict.fromkeys(config.generators[name].embedding for name in generators)
    learned |= dict.fromkeys(config.noise_ceilings[name].embedding for name in ceilings)
    learned.pop(None, None)
    for name in learned:
        block = config.embeddings[name]
        steps = found.classes * block.steps * block.batch * (1 + BACKWARD) * (passes.unet + passes.text)
        tflop = steps + 2 * guides * passes.encode
        yield Work("learn_embeddings", {**cell, "embedding": name}, tflop, half=block.dtype != "float32")
    half = config.models.diffusion.dtype != "float32"
    for name in ceilings:
        block = config.noise_ceilings[name]
        tried = 1 + math.ceil(math.log2(len(block.levels) + 1))
        images = found.classes * block.images_per_level * tried
        yield Work("find_noise_ceilings", {**cell, "noise_ceiling": name}, images * _an_image(block, passes), half=half)
    for name in generators:
        block = config.generators[name]
        images = guides * block.images_per_guide
        tflop = images * _an_image(block, passes) + guides * passes.encode
        yield Work("generate_images", {**cell, "generator": name}, tflop, half=half)
        yield Work("extract_features", {**cell, "generator": name}, images * operations.features)
    weighted = [method for method in config.methods.values() if method.weighting]
    judges = dict.fromkeys(config.weightings[method.weighting].guide_classifier for method in weighted)
    for name in judges | dict.fromkeys(config.noise_ceilings[ceiling].guide_classifier for ceiling in ceilings):
        block = config.guide_classifiers[name]
        drawn = block.epochs * block.iterations * block.batch
        yield Work("train_guide_classifier", {**cell, "guide_classifier": name}, (drawn + validation) * head)
    for generator, weighting in dict.fromkeys((method.generator, method.weighting) for method in weighted):
        views = guides * config.generators[generator].images_per_guide * max(1, config.weightings[weighting].views)
        yield Work("score_images", {**cell, "generator": generator, "weighting": weighting}, views * head)
    for name in config.methods:
        block = config.recipe_of(name)
        drawn = block.epochs * block.iterations * block.batch
        yield Work("train_downstream", {**cell, "method": name}, (drawn + evaluated) * head)


def _an_image(block: Generator | NoiseCeiling, passes: DiffusionOperations) -> float:
    """TFLOP of one image of a generator, guidance and decoding included."""
    evaluations = min(int(block.inference_steps * block.strength), block.inference_steps) + 1  # PNDM repeats one
    return 2 * evaluations * passes.unet + passes.decode + 2 * passes.text


def synthetic_images(config: Config, counts: Mapping[str, ImageCounts]) -> int:
    """How many synthetic images the experiment has."""
    generators = {method.generator for method in config.methods.values() if method.generator}
    guides = sum(found.classes * shots * len(config.seeds) for found in counts.values() for shots in config.shots)
    return guides * sum(config.generators[name].images_per_guide for name in generators)


def measured_seconds(benchmarks: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Seconds of each job of this experiment that has run, by rule and wildcards, from its benchmark files."""
    seconds = {}
    for path in sorted(benchmarks.rglob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            seconds[record["rule_name"], frozenset(record["wildcards"].items())] = float(record["s"])
    return seconds


def estimate(
    work: Sequence[Work],
    jobs: Mapping[str, int],
    seconds: Mapping[tuple[str, frozenset[tuple[str, str]]], float],
    assumed: Mapping[str, float],
) -> list[Estimate]:
    """The time of each stage that has `jobs` to run (their number by rule).

    A stage of which jobs have run goes on at their rate (operations over seconds, so that larger cells count for more);
    the others are reckoned with the `assumed` TFLOP/s in `half` and `single` precision.
    """
    estimates = []
    for rule in dict.fromkeys(job.rule for job in work if jobs.get(job.rule)):
        of_rule = [job for job in work if job.rule == rule]
        ran = [(job, seconds[key]) for job in of_rule if (key := (rule, frozenset(job.wildcards.items()))) in seconds]
        done = {id(job) for job, _ in ran}
        waiting = [job for job in of_rule if id(job) not in done] or of_rule
        mean = sum(job.tflop for job in waiting) / len(waiting)
        rate = assumed["half" if of_rule[0].half else "single"]
        spent = sum(second for _, second in ran)
        if spent > 0:
            rate = sum(job.tflop for job, _ in ran) / spent
        hours = jobs[rule] * mean / rate / 3600 if rate else 0.0
        estimates.append(Estimate(rule, jobs[rule], mean, hours, len(ran)))
    return estimates

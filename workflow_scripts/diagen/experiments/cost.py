"""What an experiment costs: words, images, and hours of each step, by the estimates of preflight. Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diagen.config import load_config
from diagen.experiments.order import Order
from diagen.preflight import estimate
from diagen.preflight.operations import DEMO, paper_operations
from diagen.preflight.rates import assumed_rates

STEPS = {
    "learn_embeddings": "words",
    "generate_images": "images",
    "train_guide_classifier": "weights",
    "score_images": "weights",
    "train_downstream": "classifiers",
    "fit_baselines": "classifiers",
    "extract_features": "diversity",
    "extract_real_features": "diversity",
    "draw_noise_ladder": "diversity",
}
"""What the hours of a rule's jobs are spent on; those of `PROMPTS` are spent on the CPU."""
PROMPTS = "write_prompts"
OF_IMAGES = ("words", "images", "weights")
"""The steps of images without an experiment."""


@dataclass(frozen=True)
class Cost:
    """Words to learn, images to generate, hours of each step, and hours of a CPU for writing prompts.

    The hours of the steps are those of a GPU at the rates of an H100, or of one CPU thread.
    """

    words: int
    images: int
    hours: Mapping[str, float]
    prompt_hours: float

    @property
    def total(self) -> float:
        """The hours of all steps together."""
        return sum(self.hours.values())


def cost_of(order: Order, mapping: Mapping[str, Any]) -> Cost:
    """Estimate the cost of a configuration that was read from YAML into `mapping`.

    Raises `ConfigError` if it is invalid.
    """
    config = load_config(mapping, order.file, check_files=False)
    survey, plan = order.survey, order.plan
    splits = {split: counts.total() for split, counts in survey.counts.items()}
    if plan.test_per_class:
        splits["test"] = plan.test_per_class * len(survey.classes)
        splits["train_val"] -= splits["test"]
    counts = {order.name: estimate.ImageCounts(len(survey.classes), splits)}
    device = "cuda" if order.full else "cpu"
    rates = assumed_rates(device, config.execution.torch_threads)
    hours: dict[str, float] = {}
    prompt_hours = 0.0
    for job in estimate.all_work(config, counts, paper_operations(config) if order.full else DEMO):
        spent = job.seconds(rates) / 3600
        if job.rule == PROMPTS:
            prompt_hours += spent
        elif (step := STEPS[job.rule]) in OF_IMAGES or not order.images_only:
            hours[step] = hours.get(step, 0.0) + spent
    cells = len(config.cell_seeds) * len(config.shot_counts)
    words = len(survey.classes) * cells * len(config.used_blocks()["embeddings"])
    return Cost(words, estimate.synthetic_images(config, counts), hours, prompt_hours)

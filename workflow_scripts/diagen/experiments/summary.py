"""What was found, chosen and written, in a few lines for the terminal."""

import textwrap
from collections.abc import Iterator

from diagen.experiments.cost import Cost
from diagen.experiments.order import Order
from diagen.experiments.plan import Plan
from diagen.experiments.reasons import unreadable
from diagen.experiments.survey import Survey
from diagen.letters import visible
from diagen.plurals import count

WIDTH = 100
INDENT = " " * 9


def summary_text(order: Order, cost: Cost) -> str:
    """The summary, ending with how to go on."""
    survey = order.survey
    entries = [
        ("Photos", f"{survey.dataset.root}: {survey.layout}"),
        ("", _numbers(survey, order.images_only)),
        *(("", note) for note in [*survey.notes, *unreadable(survey)]),
        ("Plan", _plan(survey, order.plan, order.images_only)),
        ("Models", _models(order)),
        ("Cost", _cost(order, cost)),
        ("Wrote", order.file),
    ]
    lines = [line for head, text in entries for line in _wrapped(head, text)]
    return "\n".join([*lines, "", *_end(order)])


def _wrapped(head: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(visible(text), WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False)
    yield from (f"{start:<9}{line}" for start, line in zip([head, *[""] * len(lines)], lines, strict=False))


def _numbers(survey: Survey, images_only: bool) -> str:
    """The number of classes, and of photos in each split that is used."""
    smallest, largest = min(survey.learned.values()), max(survey.learned.values())
    each = f"{smallest} photos each" if smallest == largest else f"{smallest} to {largest} photos each"
    names = {"val": "for validation", "test": "for testing", "test_uncommon": "for testing in unusual places"}
    used = [split for split in names if split in survey.counts and not images_only]
    others = [f"{survey.counts[split].total():,} {names[split]}" for split in used]
    learned = f"{survey.learned.total():,} in all" + (" to learn from" if others else "")
    return ", ".join([f"{len(survey.classes)} classes, {each}, {learned}", *others])


def _plan(survey: Survey, plan: Plan, images_only: bool) -> str:
    seeds = f"{len(plan.seeds)} seeds"
    if images_only:
        return f"up to {plan.guide_pool} photos of each class become guide images; nothing is tested"
    if plan.folds:
        return (
            f"no test folder, so cross-validation: {seeds} x {plan.folds} folds, {plan.cells} rounds that test each "
            f"photo once per seed, and learn from the others, up to {plan.guide_pool} per class"
        )
    learned = (
        f"all photos, up to {plan.guide_pool} per class"
        if plan.shots is None
        else (f"{', '.join(map(str, plan.shots))} photos per class")
    )
    drawn = f", tested on {plan.test_per_class} others of each class" if plan.test_per_class else ""
    return f"{seeds}, learning from {learned}{drawn}"


def _models(order: Order) -> str:
    if order.full:
        return f"full size, for {order.machine}"
    return (
        f"THE DEMO'S SMALL ONES, WHICH KNOW DRAWINGS ONLY: this machine has {order.machine}. They show the way, not "
        f"what DIAGen gains. The models of full size are in {order.file} as well, commented out"
    )


def _cost(order: Order, cost: Cost) -> str:
    work = f"{cost.words:,} words to learn and {cost.images:,} images to generate"
    if order.full:
        steps = ", ".join(f"{step} {_hours(hours)}" for step, hours in cost.hours.items())
        jobs = order.machine.jobs_per_gpu
        shared = f"; of the last three, {jobs} jobs at a time" if jobs > 1 and not order.images_only else ""
        return (
            f"{work}: about {_hours(cost.total)} of a GPU as fast as an H100 ({steps}{shared}), and "
            f"{_hours(cost.prompt_hours)} of the CPU for prompts. `preflight` estimates it again, from finished jobs"
        )
    cores = order.machine.cores
    return f"{work}: up to {_hours((cost.total + cost.prompt_hours) / cores)} on {count(cores, 'CPU core')}"


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 0.95 else f"{max(1, round(hours * 60))} min"


def _end(order: Order) -> Iterator[str]:
    """How to go on; without an experiment, `make images` runs the configuration itself."""
    if order.images_only:
        download = "downloads the models and " if order.full else ""
        yield f"`make images` now {download}makes the images, in {order.result}"
        yield "Repeat it after an interruption, or after you edited the configuration."
        return
    yield "Next:"
    yield from (f"  {command}" for _, command in order.commands())
    yield ""
    yield f"The verdict will be in {order.result}"

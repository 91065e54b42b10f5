"""Writes the configuration of an experiment for a folder of photos, with comments that explain every choice."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

from diagen.config.datasets import CustomCoco, ImageFolder
from diagen.data.adapters.interface import SPLITS
from diagen.experiments import reasons
from diagen.experiments.order import Order
from diagen.letters import visible
from diagen.plurals import count

TEMPLATE = Path(__file__).with_name("experiment.yaml.jinja")
WIDTH = 110
MARK = "Written by `make "
"""What the head of a written configuration contains, to tell it from configurations of other origin."""
CODE = re.compile(r"`[^`]*`")
NO_BREAK = "\u00a0"
CLASSES_SHOWN = 40
DatasetLine = tuple[str, object, str]
"""A key of the dataset block, its value, and the comment beside it."""
REGULARIZED = {"selection": "last", "weight_decay": 0.01}
"""The recipe of downstream classifiers without validation images; the decay is that of the paper's guide classifier."""


def document(order: Order) -> str:
    """The configuration as YAML."""
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters.update(
        yaml=in_yaml, comment=_comment, beside=_beside, ruled=_ruled, commented_out=_commented_out
    )
    plan = order.plan
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        name=order.name,
        plan=plan,
        machine=order.machine,
        full=order.full,
        images_only=order.images_only,
        commands=[*order.commands(), ("images" if order.images_only else "report", order.result)],
        table=list(_table(order)),
        dataset=list(_dataset(order)),
        images_per_guide=reasons.IMAGES_PER_GUIDE,
        guide={} if plan.keeps_best else {"selection": "last"},
        downstream={} if plan.keeps_best or order.images_only else dict(REGULARIZED),
        **reasons.texts(order.survey, plan, order.machine, images_only=order.images_only),
    )


def in_yaml(value: object) -> str:
    """The value in one line of YAML, quoted where needed."""
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _dataset(order: Order) -> Iterator[DatasetLine]:
    """The lines of the dataset block."""
    dataset, plan = order.survey.dataset, order.plan
    if order.images_only and isinstance(dataset, CustomCoco):  # an image folder, whose test photos are of no use here
        dataset = ImageFolder(adapter="image_folder", root=dataset.root)
    keys = dataset.model_dump(exclude_defaults=True)
    yield "adapter", keys.pop("adapter"), ""
    yield "root", keys.pop("root"), ""
    if isinstance(dataset, ImageFolder):
        if order.images_only:
            keys = {key: value for key, value in keys.items() if key == "train_val"} | {"test": None}
        if plan.test_per_class:
            keys = {"test_per_class": plan.test_per_class}
    for key, value in keys.items():
        if key == "test" and value is None:
            yield key, "none", reasons.no_test(plan)
        else:
            yield key, value, reasons.BESIDE.get(key, "")
    if order.survey.unreadable:
        files = count(sum(map(len, order.survey.unreadable.values())), "file")
        yield "on_bad_image", "skip", f"leaves out the {files} that cannot be read"


def _table(order: Order) -> Iterator[str]:
    """The number of photos of each class in each split that is used, in columns."""
    survey = order.survey
    splits = [split for split in SPLITS if split in survey.counts and (split == "train_val" or not order.images_only)]
    heads = [
        {"train_val": "to learn from", "val": "validation", "test": "test"}.get(s, "uncommon test") for s in splits
    ]
    classes = sorted(survey.classes, key=lambda name: (survey.learned[name], name))
    shown = survey.classes if len(classes) <= CLASSES_SHOWN else [*classes[: CLASSES_SHOWN - 5], *classes[-5:]]
    names = [_in_comment(name) for name in shown]
    width = max(map(len, ["all classes", *names]))
    yield "  ".join(["class".ljust(width), *heads])
    for name, text in zip(shown, names, strict=True):
        yield "  ".join([text.ljust(width), *_cells(heads, [survey.counts[split][name] for split in splits])])
    if len(shown) < len(classes):
        yield f"({len(classes) - len(shown)} classes more, of sizes between those of the last six)"
    totals = [survey.counts[split].total() for split in splits]
    yield "  ".join([f"{len(classes)} classes".ljust(width), *_cells(heads, totals)])


def _cells(heads: Sequence[str], counts: Sequence[int]) -> list[str]:
    return [f"{count:,}".rjust(len(head)) for head, count in zip(heads, counts, strict=True)]


def _in_comment(text: str) -> str:
    """The text without anything that would end a comment."""
    return visible(text).replace("\n", "\\n")


def _comment(text: str) -> str:
    kept = CODE.sub(lambda code: code[0].replace(" ", NO_BREAK), _in_comment(text))
    lines = textwrap.wrap(kept, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines).replace(NO_BREAK, " ")


def _beside(text: str) -> str:
    return f"  # {_in_comment(text)}" if text else ""


def _ruled(title: str, line: str = "-") -> str:
    return f"{line * 3} {title} ".ljust(WIDTH, line)


def _commented_out(text: str) -> str:
    """The lines as comments, without those that are comments already."""
    lines = (line for line in text.strip("\n").split("\n") if not line.startswith("#"))
    return "\n".join(f"# {line}".rstrip() for line in lines)

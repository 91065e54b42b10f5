"""What the results table answers: which methods are compared, and which comparison is the primary one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from diagen.config.base import Block, BlockName
from diagen.config.datasets import Coco, Focus, ImageFolder

REAL_BASELINES = ("logistic_regression", "nearest_class_mean")
"""Classifiers on the guide photos alone, which `fit_baselines` adds to every experiment; reserved names of methods."""
STANDARD = "standard"


class Comparison(Block):
    """The one comparison that a report answers first. All others are exploratory and corrected for their number."""

    primary: BlockName | None = Field(
        None, description="The method that the verdict is about; without one, the last method but `baseline`."
    )
    baseline: BlockName | None = Field(
        None,
        description="The method that it is compared with: a method, `logistic_regression` or `nearest_class_mean`; "
        "without one, `standard` if there is such a method, otherwise the first one.",
    )
    split: Literal["test", "test_uncommon"] = Field("test", description="The test images of the primary comparison.")


def baseline_of(comparison: Comparison, methods: Sequence[str]) -> str:
    """The name of the baseline, of `comparison` or by default, in an experiment with `methods`."""
    return comparison.baseline or (STANDARD if STANDARD in methods else methods[0])


def primary_of(comparison: Comparison, methods: Sequence[str]) -> str | None:
    """The name of the primary method, of `comparison` or by default; `None` if the baseline is the only method."""
    others = [name for name in methods if name != baseline_of(comparison, methods)]
    return comparison.primary or (others[-1] if others else None)


def comparison_problems(sections: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys and problems of the block `comparison`, and of methods with a reserved name.

    `sections` are the valid parts of the configuration and `mapping` is the raw one, as in `relations`.
    """
    given = mapping.get("methods")
    methods = [str(name) for name in given] if isinstance(given, Mapping) else []
    for name in methods:
        if name in REAL_BASELINES:
            yield f"methods.{name}", "this name is reserved for the baseline on real photos; choose another one"
    comparison, known = sections["comparison"], [*methods, *REAL_BASELINES]
    if comparison is None:
        return
    if comparison.split == "test_uncommon":
        for name, dataset in (sections["datasets"] or {}).items():
            if _is_common(dataset):
                yield "comparison.split", f"`{name}` has no images of `test_uncommon`; set `test`"
    if not methods:
        return
    for key in ("primary", "baseline"):
        if (name := getattr(comparison, key)) is not None and name not in known:
            yield f"comparison.{key}", f"no method `{name}`; known: {', '.join(known)}"
    if primary_of(comparison, methods) == baseline_of(comparison, methods):
        yield "comparison.primary", f"`{comparison.primary}` is also the baseline; name another method or `baseline`"


def _is_common(dataset: Block) -> bool:
    """Whether a dataset cannot have test images in uncommon settings, whatever is in its folder."""
    if not isinstance(dataset, ImageFolder):
        return isinstance(dataset, Focus | Coco)
    if dataset.split_table is not None:
        return False
    return dataset.test is None or dataset.test_uncommon is None or dataset.test_per_class is not None

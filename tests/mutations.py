"""Random mutations of a configuration as it was read from YAML, for hypothesis."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

WORDS = (
    "", "a b", "x/y", "../x", "{x}", "<results>", "<b>", "$(touch pwned)", "it's", '"', "`x`;", "\n", "\0", "\x1b[2J",
    "\ud800", "\u202e", "😀", "שלום", "paper", "diagen", "1", "null", "_x", "-x", "x\n", "É", "~", ".", "a" * 30,
    "ab" * 40, "A" * 5000,
)  # fmt: skip
NUMBERS = (
    0, -1, 7, 10**9, 10**30, 10**400, -(10**30), 2**31, 2**63, 0.5, 1.0, 1e308, -0.0,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(), st.sampled_from(WORDS), st.text(max_size=5)
)
KEYS = st.one_of(st.sampled_from(WORDS), st.integers(-2, 5), st.booleans(), st.none(), st.floats())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=4,
)


def containers(value: object) -> Iterator[dict | list]:
    """All non-empty mappings and lists in `value`, itself first."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


def mutate(mapping: dict[str, Any], draw: Callable) -> None:
    """Delete, replace, rename, copy or add one entry anywhere in the mapping."""
    container = draw(st.sampled_from(list(containers(mapping))))
    keys = sorted(container, key=str) if isinstance(container, dict) else range(len(container))
    key = draw(st.sampled_from(keys))
    match draw(st.sampled_from(["delete", "replace", "rename", "copy", "add"])):
        case "delete":
            del container[key]
        case "replace":
            container[key] = draw(VALUES)
        case "rename" if isinstance(container, dict):
            container[draw(KEYS)] = container.pop(key)
        case "copy" if isinstance(container, dict):
            container[draw(KEYS)] = copy.deepcopy(container[key])
        case "add" if isinstance(container, dict):
            container[draw(KEYS)] = draw(VALUES)
        case _:
            container.append(draw(VALUES))

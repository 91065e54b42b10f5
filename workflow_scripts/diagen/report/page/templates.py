"""Fragments of HTML from jinja2 templates, which escape every value that is not `Markup`, and data for scripts."""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

_ENVIRONMENT = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _template(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def fragment(source: str, /, **values: Any) -> Markup:
    """The template `source` filled with `values`. Raises `jinja2.UndefinedError` for a missing value."""
    return Markup(_template(source).render(**values))


def join(parts: list[Markup]) -> Markup:
    """The fragments one after the other."""
    return Markup("\n").join(parts)


def compact_json(value: object) -> str:
    """JSON without spaces that may stand in a script element: it holds no `<`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")

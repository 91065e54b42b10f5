"""HTML of sections from templates that escape all values."""

import json
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_ENVIRONMENT = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def filled(template: str, **values: Any) -> Markup:
    """The HTML of a jinja2 template. All values are escaped, except instances of `Markup`."""
    return Markup(_ENVIRONMENT.from_string(template).render(**values))


def compact_json(value: object) -> str:
    """JSON without spaces that may stand in a script element: it holds no `<`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def words(name: str) -> str:
    """A class name, or a prompt with a pseudo-word, in words."""
    return name.replace("_", " ")

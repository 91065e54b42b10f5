"""The frame of the report's HTML pages: one style sheet, and templates that escape all values."""

from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light; --ink: #333; --faint: #767676; --line: #e3e3e3; --mark: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem; max-width: 76rem; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, "Liberation Sans", "DejaVu Sans", sans-serif; }
h1, h2 { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 2.2rem 0 .5rem; }
p { max-width: 46rem; margin: .4rem 0; }
.faint { color: var(--faint); }
{{ style }}
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
</body>
</html>
"""


def render(title: str, style: str, body: str, **values: Any) -> str:
    """A self-contained HTML page from the jinja2 template `body`, its `values` and the CSS `style`.

    All values are escaped, except instances of `Markup`.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_FRAME.replace("{% block body %}{% endblock %}", body))
    return template.render(title=title, style=Markup(style), **values)

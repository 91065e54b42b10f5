"""Color and shape of each method: the colors of Okabe and Ito, distinguishable with any color vision.

Colors are variables of the page's style, which lightens them in the dark.
"""

from collections.abc import Sequence

from markupsafe import Markup

from diagen.report.labels import label
from diagen.report.page.templates import fragment

KNOWN = {
    "real": ("var(--ink)", "triangle-up"),
    "standard": ("var(--gray)", "square"),
    "logistic_regression": ("var(--brown)", "cross"),
    "nearest_class_mean": ("var(--violet)", "triangle-left"),
    "da_fusion": ("var(--blue)", "circle"),
    "da_fusion_tuned": ("var(--sky)", "triangle-down"),
    "noise": ("var(--orange)", "triangle-up"),
    "llm": ("var(--green)", "cross"),
    "noise_llm": ("var(--pink)", "triangle-right"),
    "diagen": ("var(--red)", "diamond"),
}
"""Color and shape of the methods that the paper and the demo name."""
SPARE = (
    ("var(--blue)", "triangle-left"), ("var(--orange)", "square"), ("var(--green)", "circle"),
    ("var(--pink)", "square"),
    ("var(--sky)", "cross"), ("var(--red)", "triangle-down"), ("var(--gray)", "diamond"), ("var(--brown)", "circle"),
)  # fmt: skip
PATHS = {
    "circle": "M8 3a5 5 0 1 0 .01 0z",
    "square": "M3.5 3.5h9v9h-9z",
    "diamond": "M8 2l6 6-6 6-6-6z",
    "cross": "M6 2.5h4V6h3.5v4H10v3.5H6V10H2.5V6H6z",
    "triangle-up": "M8 2.5l6 10.5H2z",
    "triangle-down": "M8 13.5L2 3h12z",
    "triangle-left": "M2.5 8L13 2v12z",
    "triangle-right": "M13.5 8L3 14V2z",
}
"""Each shape as an SVG path in a box of 16 by 16."""

_LEGEND = """<ul class="key">
{% for name, color, path in entries %}
<li><svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="{{ path }}" fill="{{ color }}"/></svg>
{{ name }}</li>
{% endfor %}
</ul>"""


def looks(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Color and shape of each method; unknown ones take the spare looks in turn."""
    unknown = [name for name in methods if name not in KNOWN]
    spare = {name: SPARE[number % len(SPARE)] for number, name in enumerate(unknown)}
    return {name: KNOWN.get(name) or spare[name] for name in methods}


def legend(methods: Sequence[str]) -> Markup:
    """The key to the methods' colors and shapes, as a list."""
    found = looks(methods)
    return fragment(_LEGEND, entries=[(label(name), found[name][0], PATHS[found[name][1]]) for name in methods])

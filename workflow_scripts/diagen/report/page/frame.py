"""The frame of the page: one HTML file that holds its scripts, styles and data, and uses no network."""

from collections.abc import Sequence

import vl_convert
from markupsafe import Markup

from diagen.report.page.script import SCRIPT
from diagen.report.page.style import STYLE
from diagen.report.page.templates import fragment
from diagen.report.section import Section

POLICY = "; ".join((
    "default-src 'none'", "script-src 'unsafe-inline'", "style-src 'unsafe-inline'", "img-src data: blob:",
    "connect-src data: blob:", "base-uri 'none'", "form-action 'none'",
))  # fmt: skip
"""What the browser lets the page do: run what it holds, and load nothing."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }} – DIAGen report</title>
<link rel="icon" href="data:,">
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#{{ sections[0].identifier }}">Skip to the results</a>
<header class="page">
<div class="label">DIAGen report</div>
<h1><bdi>{{ title }}</bdi></h1>
<p>{{ lead }}</p>
</header>
<nav aria-label="Sections"><ul class="page">
{% for section in sections %}<li><a href="#{{ section.identifier }}">{{ section.title }}</a></li>
{% endfor %}
</ul></nav>
<main class="page">
{% for section in sections %}
<section id="{{ section.identifier }}" aria-labelledby="{{ section.identifier }}-title">
<h2 id="{{ section.identifier }}-title">{{ section.title }}</h2>
{{ section.body }}
</section>
{% endfor %}
</main>
<footer class="page"><div>{{ footer }}</div></footer>
{% for section in sections %}
{% for key, value in section.data.items() %}
<script type="text/plain" id="{{ key }}">{{ raw(value) }}</script>
{% endfor %}
{% endfor %}
{% for script in scripts %}
<script>(() => {
{{ script }}
})();</script>
{% endfor %}
</body>
</html>
"""


def page(title: str, lead: Markup, sections: Sequence[Section], footer: Markup) -> str:
    """The HTML page of the `sections`, in their order. `title` is text; `lead` is what the page is about."""
    libraries = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")
    return fragment(
        _PAGE,
        policy=Markup(POLICY),
        title=title,
        lead=lead,
        style=Markup("\n".join((STYLE, *(section.style for section in sections)))),
        sections=sections,
        footer=footer,
        scripts=[Markup(script) for script in (libraries, SCRIPT, *(section.script for section in sections)) if script],
        raw=Markup,
    )

"""Images as elements of the page."""

from pathlib import Path

from markupsafe import Markup

from diagen.report.page.templates import fragment
from diagen.report.thumbnails import data_uri

SMALL = 96  # pixels; images up to this edge are enlarged without interpolation


def thumbnail(path: Path, alternative: str, kind: str = "") -> Markup:
    """The image as an element as wide as its place, square, with a text alternative and a further class."""
    source, *size = data_uri(path)
    scaled = "small" if max(size) <= SMALL else "large"
    template = '<img class="thumbnail {{ scaled }} {{ kind }}" src="{{ source }}" alt="{{ alternative }}">'
    return fragment(template, scaled=scaled, source=source, alternative=alternative, kind=kind)

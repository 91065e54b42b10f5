"""Images inside the page, as data URIs."""

import base64
import io
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from diagen.images import load_image
from diagen.report.page.templates import fragment

SMALL = 96  # pixels; images up to this edge are enlarged without interpolation
LARGEST = 224  # pixels; larger images are scaled down to this edge


def embed_image(path: Path) -> tuple[str, str]:
    """The image file as a data URI, and its size class: `small` (enlarged on the page) or `large` (scaled down)."""
    image = load_image(path)
    small = max(image.size) <= SMALL
    buffer = io.BytesIO()
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        image.save(buffer, "WEBP", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{'png' if small else 'webp'};base64,{data}", "small" if small else "large"


def thumbnail(path: Path, alternative: str, kind: str = "") -> Markup:
    """The image as an element as wide as its place, square, with a text alternative and a further class."""
    source, size = embed_image(path)
    template = '<img class="thumbnail {{ size }} {{ kind }}" src="{{ source }}" alt="{{ alternative }}">'
    return fragment(template, size=size, source=source, alternative=alternative, kind=kind)

"""The gallery: guide images beside their synthetic images, with prompt, noise level and weight."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diagen.data.shots_file import Shot
from diagen.generation.manifest_file import ManifestRow
from diagen.images import load_image
from diagen.report.pages import render

CLASSES = 12  # shown on a page
IMAGES = 6  # shown per synthetic set
SMALL = 128  # pixels; images up to this edge are enlarged without interpolation
LARGEST = 256  # pixels; larger images are scaled down to this edge, which saves hundreds of megabytes per page

_STYLE = """
section { border-top: 1px solid var(--line); padding: 1.2rem 0;
  display: grid; grid-template-columns: 10rem 1fr; gap: 1.5rem; }
h2 { margin: 0 0 .6rem; }
h3 { font-size: .95rem; font-weight: 500; margin: 0 0 .4rem; color: var(--faint); }
figure { margin: 0; }
img { display: block; width: 100%; border-radius: 4px; }
img.small { image-rendering: pixelated; }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .8rem;
  margin-bottom: 1.1rem; }
figcaption { font-size: .78rem; line-height: 1.35; margin-top: .35rem; overflow-wrap: anywhere; }
.facts { color: var(--faint); display: block; }
.weight { display: block; height: 4px; margin-top: .25rem; border-radius: 2px; background: var(--line); }
.weight i { display: block; height: 100%; border-radius: 2px; background: var(--mark); }
@media (max-width: 40rem) { section { grid-template-columns: 1fr; } section > figure { max-width: 10rem; } }
"""

_BODY = """
<p class="faint">One guide image of each class, and synthetic images generated from it. The word in angle brackets
is the learned word of the class.{% if weighted %} A bar shows the weight of an image: its share among the images of its
guide image, by which training draws it. Equal weights are {{ "%.2f" | format(equal_share) }}.{% endif %}</p>
{% for exhibit in exhibits %}
<section>
<figure>
<h2>{{ exhibit.class_name }}</h2>
<img class="{{ exhibit.guide.kind }}" src="{{ exhibit.guide.uri }}" alt="a real {{ exhibit.class_name }}">
<figcaption>guide image</figcaption>
</figure>
<div>
{% for name, pictures in exhibit.rows %}
<h3>{{ name }}</h3>
<div class="row">
{% for picture in pictures %}
<figure>
<img class="{{ picture.kind }}" src="{{ picture.uri }}" alt="{{ picture.prompt }}">
<figcaption><bdi>{{ picture.prompt }}</bdi>
<span class="facts">noise {{ picture.noise_level }}</span>
{% if picture.weight is not none %}
<span class="facts">weight {{ "%.2f" | format(picture.weight) }}</span>
<span class="weight"><i style="width: {{ "%.1f" | format(100 * picture.weight) }}%"></i></span>
{% endif %}
</figcaption>
</figure>
{% endfor %}
</div>
{% endfor %}
</div>
</section>
{% endfor %}
"""


@dataclass(frozen=True)
class SyntheticSet:
    """A synthetic set: its name, its manifest, and the weight in [0, 1] of each file name, if it has weights."""

    name: str
    manifest: Sequence[ManifestRow]
    weights: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Picture:
    """An embedded image: its data URI, its size class (`small` or `large`), and its caption."""

    uri: str
    kind: str
    prompt: str = ""
    noise_level: str = ""
    weight: float | None = None


@dataclass(frozen=True)
class Exhibit:
    """A class in the gallery: its guide image, and a row of pictures for each set."""

    class_name: str
    guide: Picture
    rows: list[tuple[str, list[Picture]]]


def gallery_page(shots: Sequence[Shot], sets: Sequence[SyntheticSet], store: Path) -> str:
    """The gallery page: the first guide image of each of the first `CLASSES` classes, and `IMAGES` pictures per set.

    File names in the manifests are relative to the folder `store`. Images are embedded; all texts are escaped.
    """
    guides = [shot for shot in shots if shot.role == "guide" and shot.guide == 0][:CLASSES]
    exhibits = [
        Exhibit(
            guide.class_name.replace("_", " "),
            Picture(*embed_image(Path(guide.path))),
            [(each.name, _pictures(each, guide.class_name, store)) for each in sets],
        )
        for guide in guides
    ]
    weighted = [each for each in sets if each.weights]
    equal_share = 1 / (1 + max(row.number for row in weighted[0].manifest)) if weighted else None
    title = "Guide images and their synthetic images"
    return render(title, _STYLE, _BODY, exhibits=exhibits, weighted=bool(weighted), equal_share=equal_share)


def _pictures(synthetic: SyntheticSet, class_name: str, store: Path) -> list[Picture]:
    rows = [row for row in synthetic.manifest if row.class_name == class_name and row.guide == 0]
    return [
        Picture(
            *embed_image(store / row.file_name),
            prompt=row.prompt,
            noise_level=f"{row.noise_level:g}",
            weight=synthetic.weights.get(row.file_name) if synthetic.weights else None,
        )
        for row in sorted(rows, key=lambda row: row.number)[:IMAGES]
    ]


def embed_image(path: Path) -> tuple[str, str]:
    """The image file as a data URI, and its size class: `small` (enlarged on the page) or `large` (scaled down)."""
    image = load_image(path)
    small = max(image.size) <= SMALL
    buffer = io.BytesIO()
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        image.save(buffer, "WEBP", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{'png' if small else 'webp'};base64,{data}", "small" if small else "large"

"""What paper shows of the gallery: the first guide image of each class, with its images of the primary method."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from diagen.report.labels import label
from diagen.report.page.templates import fragment
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import Picture, first_cell, shown_method
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.thumbnails import encoded, thumbnail

CLASSES = 40  # of a dataset on paper
EDGE = 96  # pixels, as those of the largest thumbnails

_TEMPLATE = """
<p>The first guide image of each class, with its images of {{ name }}. The page on screen shows all images.</p>
{% for class_name, guide, children in exhibits %}
<h3>{{ class_name }}</h3>
<ul>
<li><img src="{{ guide }}" alt="guide image, a real photo of {{ class_name }}"><span>guide image</span></li>
{% for uri, prompt, facts in children %}
<li><img src="{{ uri }}" alt="{{ prompt }}"><span>{{ facts }}</span></li>
{% endfor %}
</ul>
{% endfor %}
"""


def printed_selection(pictures: Sequence[Picture], settings: PicturesSettings, store: Path) -> Markup:
    """The selection as HTML with its images, at most `CLASSES` classes of each dataset. Raises `InputError`."""
    method = shown_method(settings)
    generator, weighting = settings.methods[method]
    exhibits = []
    for dataset in settings.datasets:
        cell = first_cell(settings, dataset)
        chosen = [
            picture
            for picture in pictures
            if picture.guide.cell == cell and picture.guide.number == 0 and picture.generator == generator
        ]
        groups = [list(group) for _, group in groupby(chosen, key=lambda picture: picture.guide.class_name)]
        for group in groups[:CLASSES]:
            guide = group[0].guide
            children = [
                (_uri(store / picture.row.file_name), spaced(picture.row.prompt), _facts(picture, weighting))
                for picture in group
            ]
            exhibits.append((spaced(guide.class_name), _uri(guide.path), children))
    return fragment(_TEMPLATE, exhibits=exhibits, name=label(method))


def _facts(picture: Picture, weighting: str | None) -> str:
    noise = f"noise {picture.row.noise_level:g}" if picture.row.noise_level else "no noise"
    row = picture.weights.get(weighting) if weighting else None
    return f"{noise}, weight {row.weight:.2g}" if row else noise


def _uri(path: Path) -> str:
    return f"data:image/webp;base64,{encoded(thumbnail(path, EDGE), lossless=False)}"

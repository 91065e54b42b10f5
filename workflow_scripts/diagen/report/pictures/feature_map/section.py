"""The map of real and synthetic images by their features, in two dimensions."""

from collections import Counter
from pathlib import Path
from typing import Any

from markupsafe import Markup

from diagen.report.page.templates import compact_json, fragment
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import first_cell
from diagen.report.pictures.feature_map.points import (
    COMPARED,
    GUIDE,
    MOST,
    REAL,
    SHOWN,
    UNCOMMON,
    Points,
    nearest_real,
    read_points,
    sample,
)
from diagen.report.pictures.feature_map.projection import project
from diagen.report.pictures.feature_map.script import MAP
from diagen.report.pictures.feature_map.style import STYLE
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.pictures.sheets import Album
from diagen.report.section import Section

SHAPES = {
    REAL: '<circle cx="8" cy="8" r="4.5" fill="none" stroke="currentColor" stroke-width="1.6"/>',
    UNCOMMON: '<path d="M8 2.5 13.5 8 8 13.5 2.5 8Z" fill="none" stroke="currentColor" stroke-width="1.6"/>',
    COMPARED: '<path d="M3.5 3.5l9 9m0-9l-9 9" stroke="currentColor" stroke-width="2.2"/>',
    SHOWN: '<path d="M8 2 14 13 2 13Z" fill="currentColor"/>',
    GUIDE: '<path d="M8 1l2 4.6 5 .5-3.8 3.3 1.1 4.9L8 11.7l-4.3 2.6 1.1-4.9L1 6.1l5-.5Z" fill="currentColor"/>',
}
"""The symbol of each kind of points in the legend; the script draws the same ones."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#c45a94", "#a87a00", "#3a9bd9", "#7f55c7", "#8c6d57")
ON_DARK = ("#4aa8e8", "#f07f2e", "#2fc79a", "#e88cbc", "#d9ae3a", "#8fd0ff", "#b394f0", "#c4a48c")
"""Colors of up to 8 classes that people with color blindness distinguish (after Okabe and Ito), on light and dark."""

_BODY = """
<p>Images that DINOv2 finds similar are close to each other. Distances between groups have no meaning (PCA to
{{ dimensions }} dimensions, then t-SNE), and neither have the axes. Point at, tap or step to a point to see its image:
arrow keys move from point to point.</p>
{% for map in maps %}
<div class="map" data-map="{{ loop.index0 }}">
{% if maps | length > 1 %}<h3>{{ map.name }}</h3>{% endif %}
<p>{{ map.sentence }}</p>
<div class="plot">
<div class="field"><canvas tabindex="0" role="application" style="aspect-ratio: {{ map.width }} / {{ map.height }}"
 aria-label="Map of features of {{ map.name }}. {{ map.sentence }} Arrow keys move from point to point."></canvas></div>
<div class="pointed"><div class="image"></div><p class="what" role="status">The image of a point appears here.</p></div>
</div>
<div class="legend" role="group" aria-label="Kinds of images on the map">
{% for kind, name, number, shape in map.kinds %}
<button type="button" data-kind="{{ kind }}" aria-pressed="true"><svg viewBox="0 0 16 16" aria-hidden="true">{{ shape }}
</svg>{{ name }} <span>{{ "{:,}".format(number) }}</span></button>
{% endfor %}
</div>
<div class="legend classes" role="group" aria-label="Classes on the map">
<button type="button" data-all>all classes</button>
{% for name in map.classes %}
<button type="button" data-class="{{ loop.index0 }}" aria-pressed="true"><i></i>
{{ name }}</button>
{% endfor %}
</div>
<details>
<summary>Distance to the nearest real photo, per class</summary>
<p>Mean of 1 - cosine of the features over the images, to the nearest real photo of the same class; for real photos, to
the nearest other one. 0 is a copy.</p>
<div class="wide" tabindex="0" role="region" aria-label="Distance to the nearest real photo per class">
<table>
<thead><tr><th scope="col">class</th>
{% for name in map.columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, values in map.rows %}
<tr><th scope="row">{{ name }}</th>
{% for value in values %}<td>{{ "%.3f" | format(value) if value is not none else "" }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
</details>
</div>
{% endfor %}
"""


def feature_map_section(settings: PicturesSettings, results: Path, store: Path, album: Album) -> Section:
    """A map of each dataset: its real photos, and synthetic images of its first cell; adds thumbnails to `album`.

    Shows the images of the primary method's generator and of DA-Fusion, at most about `MOST` points. Raises
    `InputError`.
    """
    maps, data = [], {}
    for number, dataset in enumerate(settings.datasets):
        everything = read_points(settings, results, store, dataset)
        rows = sample(everything.points, MOST, dataset)
        shown = everything.of(rows) if len(rows) < len(everything.points) else everything
        columns = _columns(shown, album)
        data[f"feature-map-{number}"] = compact_json(columns)
        maps.append(_map(settings, dataset, everything, shown, columns))
    body = fragment(_BODY, maps=maps, dimensions=min(50, everything.features.shape[1]))
    return Section("feature-map", "Map of real and synthetic images", body, STYLE, MAP, data)


def _columns(points: Points, album: Album) -> dict[str, Any]:
    """What the script needs: the points in columns, sorted by kind, and their classes with colors."""
    plane = project(points.features)
    order = sorted(range(len(points.points)), key=lambda row: points.points[row].kind)
    classes = sorted({point.class_name for point in points.points})
    texts = list(dict.fromkeys(point.text for point in points.points))
    number_of = {text: number for number, text in enumerate(texts)}
    ordered = [points.points[row] for row in order]
    return {
        "x": plane[order, 0].tolist(),
        "y": plane[order, 1].tolist(),
        "kind": [point.kind for point in ordered],
        "class": [classes.index(point.class_name) for point in ordered],
        "text": [number_of[point.text] for point in ordered],
        "thumb": [album.add(point.path) for point in ordered],
        "classes": [spaced(name) for name in classes],
        "colors": [_colors(number, len(classes)) for number in range(len(classes))],
        "texts": texts,
        "width": int(plane[:, 0].max()) or 1,
        "height": max(int(plane[:, 1].max()), 500),
    }


def _colors(number: int, classes: int) -> tuple[str, str]:
    """The colors of a class on light and dark; those of many classes differ as much as their number permits."""
    if classes <= len(COLORS):
        return COLORS[number], ON_DARK[number]
    hue = f"hsl({360 * number / classes:.0f} 65%"
    return f"{hue} {(38, 50)[number % 2]}%)", f"{hue} {(60, 72)[number % 2]}%)"


def _map(
    settings: PicturesSettings, dataset: str, everything: Points, shown: Points, columns: dict[str, Any]
) -> dict[str, Any]:
    counts = Counter(point.kind for point in shown.points)
    distances = nearest_real(everything)
    kinds = [kind for kind in (SHOWN, COMPARED, REAL) if any(kind in found for found in distances.values())]
    return {
        "name": spaced(dataset),
        "sentence": _sentence(settings, dataset, everything, shown, distances),
        "width": columns["width"],
        "height": columns["height"],
        "kinds": [(kind, name, counts[kind], Markup(SHAPES[kind])) for kind, name in sorted(everything.names.items())],
        "classes": columns["classes"],
        "columns": [everything.names.get(kind, "Real photos") for kind in kinds],
        "rows": [(spaced(name), [found.get(kind) for kind in kinds]) for name, found in sorted(distances.items())],
    }


def _sentence(
    settings: PicturesSettings, dataset: str, everything: Points, shown: Points, distances: dict[str, dict[int, float]]
) -> str:
    """What the map shows, in words: the numbers of images, and how far the synthetic ones are from real photos."""
    cell, counts = first_cell(settings, dataset), Counter(point.kind for point in shown.points)
    real = sum(counts[kind] for kind in (REAL, UNCOMMON, GUIDE))
    synthetic = " and ".join(
        f"{counts[kind]:,} of {everything.names[kind]}" for kind in (COMPARED, SHOWN) if kind in everything.names
    )
    text = f"{real:,} real photos, {counts[GUIDE]:,} of them guide images, and the synthetic images of"
    text += f" {settings.draw(cell.seed)} with {cell.shots} shots: {synthetic}."
    if len(shown.points) < len(everything.points):
        text += f" These {len(shown.points):,} points are drawn at random from {len(everything.points):,}."
    means = {
        kind: sum(values) / len(values)
        for kind in (SHOWN, COMPARED, REAL)
        if (values := [found[kind] for found in distances.values() if kind in found])
    }
    if SHOWN in means:
        others = [f"{everything.names[COMPARED]}: {means[COMPARED]:.2f}"] if COMPARED in means else []
        others += [f"one real photo from another: {means[REAL]:.2f}"] if REAL in means else []
        compared = f" ({'; '.join(others)})" if others else ""
        text += f" Images of {everything.names[SHOWN]} are {means[SHOWN]:.2f} from the nearest real photo{compared}."
        farthest = max((found[SHOWN], name) for name, found in distances.items() if SHOWN in found)
        text += f" Farthest are those of {spaced(farthest[1])}, {farthest[0]:.2f}."
    return text

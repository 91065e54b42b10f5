"""The gallery: every synthetic image beside its guide image, with filters and its provenance."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagen.report.page.templates import compact_json, fragment
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import Picture, used_by
from diagen.report.pictures.gallery.columns import gallery_columns
from diagen.report.pictures.gallery.filter_script import GALLERY
from diagen.report.pictures.gallery.printed import printed_selection
from diagen.report.pictures.gallery.style import STYLE
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.pictures.sheets import Album
from diagen.report.section import Section

_BODY = """
<p>{{ summary }} Every image is beside the real photo that it was generated from.<span class="live"> Select one to see
where it comes from.</span>{% if weighted %} The bar under an image shows its weight: its share among the images of its
guide image or class, by which training draws it.{% endif %} The word in angle brackets is the learned word of the
class.</p>
<details>
<summary>Images per class and method</summary>
<div class="wide" tabindex="0" role="region" aria-label="Images per class and method">
<table>
<thead><tr><th scope="col">class</th>
{% for name in generators %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, counts in table %}
<tr><th scope="row">{{ name }}</th>{% for number in counts %}<td>{{ "{:,}".format(number) }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
</details>
<div class="screen">
<form data-part="filters">
{% for name, title, choices in selects %}
<label>{{ title }}
<select name="{{ name }}"><option value="">all</option>
{% for value, text in choices %}
<option value="{{ value }}">{{ text }}</option>
{% endfor %}
</select></label>
{% endfor %}
<label>words in the prompt <input name="words" type="search" autocomplete="off" spellcheck="false"></label>
{% if weighted %}
<fieldset><legend>weight <output data-part="range"></output></legend>
<input name="low" type="range" min="0" max="100" value="0" aria-label="least weight">
<input name="high" type="range" min="0" max="100" value="100" aria-label="largest weight"></fieldset>
{% endif %}
<label>order
<select name="order"><option value="guide">by guide image</option>
{% if weighted %}
<option value="high">largest weight first</option><option value="low">smallest weight first</option>
{% endif %}
</select></label>
<button type="reset">show all</button>
</form>
<p class="count" role="status" data-part="count"></p>
<div class="scroller" data-part="scroller" tabindex="0" role="region" aria-label="Synthetic images; arrow keys move
 from image to image, Enter shows where one comes from">
<div class="canvas" data-part="canvas"></div>
<p class="none" data-part="none" hidden>No image fits these filters.</p>
</div>
<dialog data-part="dialog" aria-labelledby="gallery-dialog-title">
<header><h3 id="gallery-dialog-title" data-part="title"></h3>
<button type="button" data-part="close">close</button></header>
<div class="pair">
<figure><span class="picture" role="img" data-part="large"></span><figcaption>synthetic image</figcaption></figure>
<figure><span class="picture" role="img" data-part="source"></span><figcaption>guide image</figcaption></figure>
</div>
<div class="steps"><button type="button" data-part="back">previous</button>
<button type="button" data-part="forth">next</button></div>
<dl data-part="facts"></dl>
</dialog>
</div>
<div class="paper">
{{ printed }}
</div>
"""


def gallery_section(pictures: Sequence[Picture], settings: PicturesSettings, store: Path, album: Album) -> Section:
    """The gallery of all `pictures`, in their order; adds their thumbnails and those of the guide images to `album`.

    Their file names are relative to the folder `store`.
    """
    columns = gallery_columns(pictures, settings, store, album)
    weighted = bool(columns["weights"])
    generators = [used_by(settings, name) for name in settings.generators]
    counts = Counter((picture.guide.class_name, picture.generator) for picture in pictures)
    classes = sorted({name for name, _ in counts})
    body = fragment(
        _BODY,
        summary=_summary(pictures, settings),
        weighted=weighted,
        generators=generators,
        table=[(spaced(name), [counts[name, generator] for generator in settings.generators]) for name in classes],
        selects=_selects(columns, settings),
        printed=printed_selection(pictures, settings, store),
    )
    data = {
        "gallery-data": compact_json(columns),
        "gallery-names": compact_json([picture.row.file_name for picture in pictures]),
        "gallery-hashes": compact_json([picture.row.sha256 for picture in pictures]),
    }
    return Section("gallery", "All synthetic images", body, STYLE, GALLERY, data)


def _summary(pictures: Sequence[Picture], settings: PicturesSettings) -> str:
    made = Counter(picture.generator for picture in pictures)
    listed = "; ".join(f"{used_by(settings, name)}: {made[name]:,}" for name in settings.generators)
    guides = len({picture.guide for picture in pictures})
    return f"{len(pictures):,} synthetic images of {guides:,} guide images ({listed})."


def _selects(columns: dict[str, Any], settings: PicturesSettings) -> list[tuple[str, str, list[tuple[object, str]]]]:
    """The choices of each filter: its name, its title, and values with their texts. Filters of one value are left out.

    Values are positions in the lists of `columns`, except for seeds and numbers of shots.
    """
    seeds, shots = ({cell[place] for cell in columns["cells"]} for place in (1, 2))
    noun = "seed" if settings.folds == 1 else "fold"
    levels: list[tuple[object, str]]
    levels = [(number, f"{level:g}" if level else "none") for number, level in enumerate(columns["levels"])]
    choices: list[tuple[str, str, list[tuple[object, str]]]] = [
        ("dataset", "dataset", list(enumerate(columns["datasets"]))),
        ("class", "class", list(enumerate(columns["classes"]))),
        ("method", "method", [(number, method["label"]) for number, method in enumerate(columns["methods"])]),
        ("shots", "shots", [(number, str(number)) for number in sorted(shots)]),
        ("seed", noun, [(number, settings.draw(number).removeprefix(f"{noun} ")) for number in sorted(seeds)]),
        ("level", "noise", levels),
    ]
    return [each for each in choices if len(each[2]) > 1]

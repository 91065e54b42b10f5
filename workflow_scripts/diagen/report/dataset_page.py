"""The report's page of a dataset: numbers of images, omitted files, and leakage between splits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from diagen.data.adapters.interface import SPLITS
from diagen.data.gaps import split_gaps
from diagen.data.images_file import ImageRow, SkippedImage
from diagen.data.leakage import CLOSEST, PAIRS
from diagen.data.leakage_file import Leak, Twin
from diagen.report.gallery import embed_image
from diagen.report.labels import label
from diagen.report.pages import render

REASONS_SHOWN = 30
ROLES = {
    "guide": "guide images",
    "val": "validation images",
    "test": "test images",
    "test_uncommon": "test images in uncommon settings",
}
KINDS = {"exact": "exact copy", "near": "near-duplicate", "apart": "no duplicate"}

_STYLE = """
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .3rem 0 1rem; }
th { font-weight: 500; text-align: right; padding: .25rem .6rem; }
th[scope=row], th.text { text-align: left; padding-left: 0; max-width: 40rem; overflow-wrap: anywhere; }
thead th { color: var(--faint); border-bottom: 1px solid var(--line); }
td { text-align: right; padding: .25rem .6rem; }
tfoot th, tfoot td { border-top: 1px solid var(--line); }
.found { color: var(--mark); font-weight: 600; }
.pairs { display: flex; flex-wrap: wrap; gap: 1rem; }
.pairs figure { margin: 0; width: 19rem; }
.pairs div { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem; }
.pairs img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #f6f6f6; border-radius: 4px; }
figcaption { font-size: .78rem; line-height: 1.35; margin-top: .3rem; overflow-wrap: anywhere; }
li { overflow-wrap: anywhere; }
"""

_BODY = """
<h2>Images</h2>
<table>
<thead><tr><th class="text">class</th>{% for split in splits %}<th>{{ split_names[split] }}</th>{% endfor %}
<th>omitted</th></tr></thead>
<tbody>
{% for row in classes %}
<tr><th scope="row">{{ row.name }}</th>{% for count in row.counts %}<td>{{ count }}</td>{% endfor %}
<td>{{ row.skipped }}</td></tr>
{% endfor %}
</tbody>
<tfoot><tr><th scope="row">all</th>{% for count in total.counts %}<td>{{ count }}</td>{% endfor %}
<td>{{ total.skipped }}</td></tr></tfoot>
</table>
{% for gap in gaps %}
<p class="found">{{ gap }}</p>
{% endfor %}
{% if reasons %}
<h2>Omitted files</h2>
<p>{{ total.skipped }} file{{ "s are not readable images and were" if total.skipped != 1
else " is not a readable image and was" }} omitted (<code>on_bad_image: skip</code>).</p>
<ul>
{% for reason in reasons %}
<li>{{ reason }}</li>
{% endfor %}
{% if total.skipped > reasons | length %}
<li>and {{ total.skipped - reasons | length }} more, in skipped.csv</li>
{% endif %}
</ul>
{% endif %}
<h2>Leakage</h2>
<p class="faint">Test and validation images with a duplicate among the training or validation images of the same cell.
Exact copies have the same file hash; near-duplicates have a feature distance (1 - cosine similarity) of at most
{{ near_distance }}. Numbers are means over the {{ cells }} cell{{ "s" if cells != 1 }} (seed and shots), with the
largest in brackets.</p>
<table>
<thead><tr><th class="text">images</th><th class="text">compared with</th><th>number of images</th>
<th>with an exact copy</th><th>with a near-duplicate</th></tr></thead>
<tbody>
{% for pair in pairs %}
<tr><th scope="row">{{ pair.later }}</th><th class="text">{{ pair.earlier }}</th><td>{{ pair.images }}</td>
<td{{ pair.exact.mark }}>{{ pair.exact.text }}</td><td{{ pair.near.mark }}>{{ pair.near.text }}</td></tr>
{% endfor %}
</tbody>
</table>
{% for pair in pairs %}
<h2>Most similar pairs: {{ pair.later }} and {{ pair.earlier }}</h2>
<div class="pairs">
{% for twin, left, right in pair.shown %}
<figure>
<div><img src="{{ left }}" alt="{{ twin.path }}"><img src="{{ right }}" alt="{{ twin.twin_path }}"></div>
<figcaption><b{% if twin.kind != "apart" %} class="found"{% endif %}>{{ kinds[twin.kind] }}</b>,
distance {{ "%.3f" | format(twin.distance) }}<br><bdi>{{ twin.path }}</bdi> (<bdi>{{ twin.class_name }}</bdi>)<br>
<bdi>{{ twin.twin_path }}</bdi> (<bdi>{{ twin.twin_class }}</bdi>)</figcaption>
</figure>
{% endfor %}
</div>
{% endfor %}
"""


@dataclass(frozen=True)
class ClassCounts:
    """A row of the table of images: the number of a class's images in each split, and of its omitted files."""

    name: str
    counts: list[int]
    skipped: int


@dataclass(frozen=True)
class Number:
    """A number over cells: mean and maximum as text, and the HTML attribute that highlights it unless it is 0."""

    text: str
    mark: str


@dataclass(frozen=True)
class RolePair:
    """The leaks between two roles over all cells, with the pairs to show and their images as data URIs."""

    earlier: str
    later: str
    images: str
    exact: Number
    near: Number
    shown: list[tuple[Twin, str, str]]


def dataset_page(
    name: str,
    images: Sequence[ImageRow],
    skipped: Sequence[SkippedImage],
    leaks: Sequence[Leak],
    near_distance: float,
) -> str:
    """The self-contained HTML page of the dataset `name`; all texts are escaped. Paths are those of the tables."""
    splits = [split for split in SPLITS if any(row.split == split for row in images)]
    classes = sorted({row.class_name for row in images} | {row.class_name for row in skipped})
    counts = Counter((row.class_name, row.split) for row in images)
    omitted = Counter(row.class_name for row in skipped)
    rows = [
        ClassCounts(each.replace("_", " "), [counts[each, split] for split in splits], omitted[each])
        for each in classes
    ]
    total = ClassCounts(
        "all", [sum(column) for column in zip(*(row.counts for row in rows), strict=True)], len(skipped)
    )
    return render(
        f"Images of {label(name)}",
        _STYLE,
        _BODY,
        splits=splits,
        split_names={"train_val": "train-val", "val": "validation", "test": "test", "test_uncommon": "uncommon"},
        classes=rows,
        total=total,
        gaps=split_gaps((row.split, row.class_name) for row in images),
        reasons=[row.reason for row in skipped[:REASONS_SHOWN]],
        near_distance=f"{near_distance:g}",
        cells=len({(leak.seed, leak.shots) for leak in leaks}),
        pairs=list(_role_pairs(leaks)),
        kinds=KINDS,
    )


def _role_pairs(leaks: Sequence[Leak]) -> list[RolePair]:
    pairs = []
    for earlier, later in PAIRS:
        found = [leak for leak in leaks if (leak.earlier, leak.later) == (earlier, later)]
        if not found:
            continue
        # Cells share images; show each pair once.
        twins = {(twin.path, twin.twin_path): twin for leak in found for twin in leak.twins}
        closest = sorted(twins.values(), key=lambda twin: (twin.kind != "exact", twin.distance, twin.path))[:CLOSEST]
        pairs.append(
            RolePair(
                ROLES[earlier],
                ROLES[later],
                f"{sum(leak.images for leak in found) / len(found):.4g}",
                _number([leak.exact for leak in found]),
                _number([leak.near for leak in found]),
                [(twin, embed_image(Path(twin.path))[0], embed_image(Path(twin.twin_path))[0]) for twin in closest],
            )
        )
    return pairs


def _number(values: Sequence[int]) -> Number:
    if not any(values):
        return Number("0", "")
    return Number(f"{sum(values) / len(values):.3g} ({max(values)})", Markup(' class="found"'))

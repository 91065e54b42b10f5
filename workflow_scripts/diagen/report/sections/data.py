"""The photos: their numbers, files left out, duplicates between splits, and how much the seeds share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from markupsafe import Markup

from diagen.data.adapters.interface import SPLITS
from diagen.data.gaps import split_gaps
from diagen.data.images_file import ImageRow, SkippedImage, read_images, read_skipped
from diagen.data.leakage import CLOSEST, PAIRS
from diagen.data.leakage_file import Leak, Twin, read_leaks
from diagen.data.shots_file import read_shots
from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.templates import fragment, join
from diagen.report.page.thumbnails import thumbnail
from diagen.report.page.words import listed, spaced
from diagen.report.results import Results
from diagen.report.section import Section

REASONS_SHOWN = 30
ROLES = {
    "guide": "guide images",
    "val": "validation images",
    "test": "test images",
    "test_uncommon": "test images in uncommon settings",
}
SPLIT_NAMES = {"train_val": "Train and validation", "val": "Validation", "test": "Test", "test_uncommon": "Uncommon"}
KINDS = {"exact": "exact copy", "near": "near-duplicate", "apart": "no duplicate"}
LEAKING = (
    "Some test or validation photos have a duplicate among the photos that classifiers learn from; "
    "accuracy on them says little."
)
FOLDED = ", each of which is learned from and tested in turn"
CLEAN = "No test or validation photo has a duplicate among the photos that classifiers learn from."

STYLE = """
#data .pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1.1rem;
  margin: 1rem 0; }
#data .pairs .two { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem; }
#data .pairs figcaption { font-size: .78rem; overflow-wrap: anywhere; }
"""
_DATASET = """{% if heading %}<h3>{{ heading }}</h3>{% endif %}
<p>{{ summary }}</p>
{{ counts }}
{% for gap in gaps %}<p class="note">{{ gap }}</p>{% endfor %}
{% if reasons %}
<details><summary>{{ omitted }}</summary>
<ul>
{% for reason in reasons %}<li><bdi>{{ reason }}</bdi></li>{% endfor %}
{% if more %}<li>and {{ more }} more, in skipped.csv</li>{% endif %}
</ul></details>
{% endif %}
{{ overlap }}
<h3>Duplicates between splits</h3>
<p>{{ finding }} Exact copies have the same file hash; near-duplicates have a feature distance (1 − cosine similarity)
of at
most {{ near_distance }}. Numbers are means over the {{ cells }} ({{ cell }}), with the
largest in
brackets.</p>
{{ leaks }}
{% for heading, pairs in shown %}
<details><summary>{{ heading }}</summary><div class="pairs">
{% for twin, left, right in pairs %}
<figure><div class="two">{{ left }}{{ right }}</div>
<figcaption><b{% if twin.kind != "apart" %} class="bad"{% endif %}>{{ kinds[twin.kind] }}</b>,
distance {{ "%.3f" | format(twin.distance) }}<br>
<bdi>{{ twin.path }}</bdi> (<bdi>{{ spaced(twin.class_name) }}</bdi>)<br>
<bdi>{{ twin.twin_path }}</bdi> (<bdi>{{ spaced(twin.twin_class) }}</bdi>)</figcaption></figure>
{% endfor %}
</div></details>
{% endfor %}"""
_OVERLAP = """<p>{{ seeds }} draw their training photos from the same ones, so they overlap: two of them share on
average
{{ shares }}. The fewer photos there are to draw from, the less independent the {{ seed }}s are.</p>"""


def data(results: Results) -> Section:
    """The photos of each dataset."""
    parts = [_dataset(results, dataset) for dataset in results.settings.datasets]
    return Section("data", "Photos", join(parts), STYLE)


def _dataset(results: Results, dataset: str) -> Markup:
    folder = results.folder / dataset
    images, skipped = read_images(folder / "images.csv"), read_skipped(folder / "skipped.csv")
    leaks, near_distance = read_leaks(folder / "leakage.json")
    classes = len({row.class_name for row in images})
    folded = results.settings.folds > 1
    found = sum(leak.exact + leak.near for leak in leaks)
    cells = len({(leak.seed, leak.shots) for leak in leaks})
    return fragment(
        _DATASET,
        heading=label(dataset) if len(results.settings.datasets) > 1 else "",
        summary=f"{count(len(images), 'photo')} of {count(classes, 'class', 'classes')}{FOLDED if folded else ''}.",
        counts=_counts(dataset, images, skipped, SPLIT_NAMES | ({"train_val": "Photos"} if folded else {})),
        gaps=split_gaps((row.split, row.class_name) for row in images),
        omitted=f"{count(len(skipped), 'file')} left out, since they cannot be read as images (on_bad_image: skip)",
        reasons=[row.reason for row in skipped[:REASONS_SHOWN]],
        more=max(len(skipped) - REASONS_SHOWN, 0),
        overlap=_overlap(results, dataset),
        finding=LEAKING if found else CLEAN,
        near_distance=f"{near_distance:g}",
        cells=count(cells, "cell"),
        cell=f"a {'fold of a repeat' if folded else 'seed'} and a number of photos",
        leaks=_leaks(dataset, leaks),
        shown=list(_shown(leaks)),
        kinds=KINDS,
        spaced=spaced,
    )  # fmt: skip


def _counts(
    dataset: str, images: Sequence[ImageRow], skipped: Sequence[SkippedImage], titles: Mapping[str, str]
) -> Markup:
    splits = [split for split in SPLITS if any(row.split == split for row in images)]
    names = sorted({row.class_name for row in images} | {row.class_name for row in skipped})
    counts = Counter((row.class_name, row.split) for row in images)
    omitted = Counter(row.class_name for row in skipped)
    columns = [Column("Class", numeric=False), *(Column(titles[split]) for split in splits), Column("Left out")]
    rows = [
        Row([Cell(spaced(name)), *(_whole(counts[name, split]) for split in splits), _whole(omitted[name])])
        for name in names
    ]
    totals = [_whole(sum(counts[name, split] for name in names)) for split in splits]
    all_classes = Row([Cell("All classes"), *totals, _whole(len(skipped))], marked=True)
    return table(f"data-{dataset}", f"{label(dataset)}: photos by class", columns, [*rows, all_classes])


def _overlap(results: Results, dataset: str) -> Markup:
    """How many training photos two seeds share, by number of shots; empty with one seed, or with folds."""
    names = results.settings
    if len(names.seeds) < 2 or names.folds > 1:
        return Markup()
    guides: dict[tuple[int, int], set[str]] = {
        (cell.seed, cell.shots): {
            shot.path for shot in read_shots(results.cell_folder(cell) / "shots.csv") if shot.role == "guide"
        }
        for cell in results.cells(dataset)
    }
    shares = []
    for shots in names.shots:
        pairs = [(guides[one, shots], guides[other, shots]) for one, other in combinations(names.seeds, 2)]
        mean = sum(len(one & other) / max(1, min(len(one), len(other))) for one, other in pairs) / len(pairs)
        shares.append(f"{100 * mean:.0f} % at {shots} shots")
    seeds = f"The {count(len(names.seeds), results.seed_noun)}"
    return fragment(_OVERLAP, seeds=seeds, shares=listed(shares), seed=results.seed_noun)


def _leaks(dataset: str, leaks: Sequence[Leak]) -> Markup:
    columns = [
        Column("Photos", numeric=False),
        Column("Compared with", numeric=False),
        Column("Number"),
        Column("With an exact copy"),
        Column("With a near-duplicate"),
    ]
    rows = []
    for earlier, later in PAIRS:
        found = [leak for leak in leaks if (leak.earlier, leak.later) == (earlier, later)]
        if found:
            images = sum(leak.images for leak in found) / len(found)
            exact, near = ([getattr(leak, kind) for leak in found] for kind in ("exact", "near"))
            rows.append(
                Row(
                    [
                        Cell(ROLES[later]),
                        Cell(ROLES[earlier]),
                        number(images, f"{images:.4g}"),
                        _over(exact),
                        _over(near),
                    ]
                )
            )
    return table(f"data-leaks-{dataset}", "Duplicates", columns, rows)


def _shown(leaks: Sequence[Leak]) -> list[tuple[str, list[tuple[Twin, Markup, Markup]]]]:
    """The most similar pairs of photos between each two roles, with their thumbnails."""
    shown = []
    for earlier, later in PAIRS:
        # Cells share images; show each pair once.
        found = [leak for leak in leaks if (leak.earlier, leak.later) == (earlier, later)]
        twins = {(twin.path, twin.twin_path): twin for leak in found for twin in leak.twins}
        closest = sorted(twins.values(), key=lambda twin: (twin.kind != "exact", twin.distance, twin.path))[:CLOSEST]
        pairs = [(each, _photo(each.path), _photo(each.twin_path)) for each in closest]
        if pairs:
            shown.append((f"Most similar pairs: {ROLES[later]} and {ROLES[earlier]}", pairs))
    return shown


def _photo(path: str) -> Markup:
    return thumbnail(Path(path), path)


def _whole(value: int) -> Cell:
    return number(value, f"{value:,}")


def _over(values: Sequence[int]) -> Cell:
    """A number over cells: mean and maximum, highlighted unless it is 0."""
    if not any(values):
        return number(0, "0")
    mean = sum(values) / len(values)
    return Cell(f"{mean:.3g} ({max(values)})", mean, alarm=True)

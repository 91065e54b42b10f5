"""The noise ladder: one word at growing noise, all else equal (Fig. 9 of the paper)."""

from pathlib import Path

from diagen.data.shots_file import read_shots
from diagen.files.results_layout import cell_folder
from diagen.files.tables import DamagedFile
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.report.page.templates import fragment
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import first_cell, used_by
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.section import Section
from diagen.report.thumbnails import data_uri

LADDER = "noise_ladder.csv"  # in the folder of a dataset

_BODY = """
<p>The same guide image, prompt and seeds; only the noise on the learned word grows, by the given standard deviation.
Marked levels are those of {{ generator }}. At low levels the image changes in detail; once the word has lost its
meaning, it may show anything.</p>
{% for name, prompt, guide, steps in ladders %}
<h3>{{ name }} <span>{{ prompt }}</span></h3>
<ol aria-label="Images of {{ name }} at growing noise">
<li class="guide"><img src="{{ guide[0] }}" width="{{ guide[1] }}" height="{{ guide[2] }}"
 alt="the guide image, a real photo of {{ name }}"><p>guide image</p></li>
{% for image, level, used in steps %}
<li{% if used %} class="used"{% endif %}><img src="{{ image[0] }}" width="{{ image[1] }}" height="{{ image[2] }}"
 alt="{{ name }} at noise {{ level }}"><p>{% if level == "0" %}no noise{% else %}noise {{ level }}{% endif %}</p></li>
{% endfor %}
</ol>
{% endfor %}
"""

_STYLE = """
#noise-ladder h3 { font-size: 1rem; margin: 1.2rem 0 .6rem; }
#noise-ladder h3 span { font-weight: 400; color: var(--faint); margin-left: .6rem; font-size: .88rem; }
#noise-ladder ol { list-style: none; margin: 0; padding: 4px; display: grid; gap: .9rem .8rem;
  grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
#noise-ladder img { display: block; width: 100%; height: auto; border-radius: 5px; }
#noise-ladder li p { margin: .35rem 0 0; font-size: .82rem; color: var(--faint);
  font-variant-numeric: tabular-nums; }
#noise-ladder .guide img { outline: 2px solid var(--accent); outline-offset: 2px; }
#noise-ladder .used p { color: var(--ink); font-weight: 600; }
#noise-ladder .used p::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%;
  background: var(--accent); margin-right: .4em; }
@media print { #noise-ladder li { break-inside: avoid; } }
"""


def noise_ladder_section(settings: PicturesSettings, results: Path, store: Path) -> Section:
    """The images of `<dataset>/noise_ladder.csv` of all datasets in a strip each. Raises `InputError`."""
    assert settings.ladder
    generator = settings.generators[settings.ladder]
    ladders = []
    for dataset in settings.datasets:
        rows = read_manifest(results / dataset / LADDER)
        if not rows:
            raise DamagedFile(results / dataset / LADDER, "it lists no images")
        guide = _guide(settings, results, dataset, rows[0])
        steps = [
            (data_uri(store / row.file_name), f"{row.noise_level:g}", row.noise_level in generator.noise_levels)
            for row in rows
        ]
        ladders.append((spaced(rows[0].class_name), spaced(rows[0].prompt), data_uri(guide), steps))
    body = fragment(_BODY, ladders=ladders, generator=used_by(settings, settings.ladder))
    return Section("noise-ladder", "One word at growing noise", body, _STYLE)


def _guide(settings: PicturesSettings, results: Path, dataset: str, row: ManifestRow) -> Path:
    """The photo of the ladder's guide image."""
    shots = read_shots(cell_folder(results, first_cell(settings, dataset)) / "shots.csv")
    for shot in shots:
        if (shot.class_name, shot.guide) == (row.class_name, row.guide):
            return Path(shot.path)
    reason = f"shots.csv has no guide image {row.guide} of class `{row.class_name}`"
    raise DamagedFile(results / dataset / LADDER, reason)

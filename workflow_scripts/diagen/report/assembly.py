"""The report page of an experiment: its sections in their order, in one file."""

from collections.abc import Callable

from markupsafe import Markup

from diagen.plurals import count
from diagen.report.labels import label
from diagen.report.page.frame import page
from diagen.report.page.templates import fragment
from diagen.report.page.words import listed
from diagen.report.pictures.sections import picture_sections
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.results import Results
from diagen.report.section import Section
from diagen.report.sections.accuracy import accuracy
from diagen.report.sections.calibration import calibration
from diagen.report.sections.classes import classes
from diagen.report.sections.cost import cost
from diagen.report.sections.curves import curves
from diagen.report.sections.data import data
from diagen.report.sections.diversity import diversity
from diagen.report.sections.made_with import made_with
from diagen.report.sections.methods import methods
from diagen.report.sections.prompts import prompts
from diagen.report.sections.verdict import verdict

BUILDERS: tuple[Callable[[Results], Section | None], ...] = (
    verdict,
    accuracy,
    methods,
    curves,
    prompts,
    diversity,
    classes,
    data,
    calibration,
    cost,
    made_with,
)
"""What makes each section that shows figures; `None` where an experiment has nothing to show."""
ORDER = (
    "verdict",
    "accuracy",
    "methods",
    "curves",
    "noise-ladder",
    "prompts",
    "diversity",
    "classes",
    "gallery",
    "feature-map",
    "data",
    "calibration",
    "cost",
    "made-with",
)
"""Identifiers of the sections, in the order of the page."""

_LEAD = """{{ methods }} on {{ datasets }}: {{ seeds }}{{ folds }}, {{ shots }} real photos per class. DIAGen generates
training images that vary in object, place and time of day from a few real photos, weights them, and trains a
classifier on
both (<a href="https://arxiv.org/abs/2408.14584">arXiv 2408.14584</a>)."""
_FOOTER = """Made by the DIAGen workflow; this file needs no network. Where each table came from, with the code and the
settings of its job: <a href="provenance.html">provenance.html</a> beside this file, which Snakemake writes:
<code>.venv/bin/snakemake --configfile CONFIG.yaml --report results/{{ experiment }}/provenance.html</code>"""


def report_page(results: Results) -> str:
    """The page as HTML, self-contained. Raises `InputError` for a damaged file of the results."""
    sections = [section for build in BUILDERS if (section := build(results)) is not None]
    sections += picture_sections(_pictures(results), results.folder, results.store)
    sections.sort(key=lambda section: ORDER.index(section.identifier))
    return page(label(results.settings.experiment), _lead(results), sections, fragment(
        _FOOTER, experiment=results.settings.experiment
    ))  # fmt: skip


def _pictures(results: Results) -> PicturesSettings:
    names = results.settings
    return PicturesSettings.of(
        datasets=tuple(names.datasets),
        cell_seeds=names.cell_seeds,
        shots=names.shots,
        methods=names.methods,
        generators=names.generators,
        primary=names.primary,
        ladder=names.ladder,
        folds=names.folds,
    )


def _lead(results: Results) -> Markup:
    names = results.settings
    return fragment(
        _LEAD,
        methods=count(len(names.methods), "method"),
        datasets=listed([label(name) for name in names.datasets]),
        seeds=count(len(names.seeds), results.seed_noun),
        folds=f" of {count(names.folds, 'fold')}" if names.folds > 1 else "",
        shots=listed([str(each) for each in names.shots]),
    )

"""The summary tables in LaTeX, to be read with `\\input` in a document that loads the package booktabs.

Percentages have 95 % intervals. Differences that hold after the correction for the number of comparisons are bold.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from diagen.comparisons.tables_file import ALL_SHOTS
from diagen.report.labels import VARIANTS, label
from diagen.report.summary_tables import MEASURES

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def escaped(text: str) -> str:
    """The text with LaTeX's special characters escaped."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def accuracy_tex(means: pd.DataFrame) -> str:
    """A table per dataset and split from `means.csv`: methods in rows, numbers of shots in columns."""
    parts = []
    for names, rows in _groups(means, ["dataset", "split"]):
        cells = {
            (row["method"], row["shots"]): _with_interval(row["mean"], row["low"], row["high"])
            for row in rows.to_dict("records")
        }
        shots = list(dict.fromkeys(rows["shots"]))
        body = [[label(name), *(cells[name, number] for number in shots)] for name in dict.fromkeys(rows["method"])]
        place = f"{label(names['split'])}, {label(names['dataset'])}"
        caption = f"Accuracy on {place}, in percent with two-way 95 % intervals."
        parts.append(_table(caption, ["Method", *map(_shots, shots)], body))
    return _file(parts)


def comparisons_tex(comparisons: pd.DataFrame) -> str:
    """A table per dataset, split and baseline from `comparisons.csv`: methods in rows, numbers of shots in columns."""
    parts = []
    for names, rows in _groups(comparisons[comparisons["class"] == ""], ["dataset", "split", "baseline"]):
        cells = {(row["method"], row["shots"]): _difference(row) for row in rows.to_dict("records")}
        shots, p = (
            list(dict.fromkeys(rows["shots"])),
            rows[rows["shots"] == ALL_SHOTS].set_index("method")["adjusted_p"],
        )
        body = [
            [label(name), *(cells[name, number] for number in shots), _p(p[name])]
            for name in dict.fromkeys(rows["method"])
        ]
        place = f"{label(names['split'])}, {label(names['dataset'])}"
        caption = (
            f"Difference of accuracy to {label(names['baseline'])} on {place}, in percentage points with two-way 95 % "
            "intervals, adjusted for the number of comparisons except for the primary one (dagger)."
        )
        parts.append(_table(caption, ["Method", *map(_shots, shots), "p (all)"], body))
    return _file(parts)


def diversity_tex(diversity: pd.DataFrame) -> str:
    """A table per dataset, k and variant from `diversity.csv`: means over seeds of the pooled measures, in percent."""
    parts = []
    for names, rows in _groups(diversity[diversity["scope"] == "pooled"], ["dataset", "k", "variant"]):
        body = []
        for made, cells in _groups(rows, ["generator", "weighting", "shots"]):
            weighted = f", weighted by {label(made['weighting'])}" if made["weighting"] else ""
            measures = [_over_seeds(cells[measure]) for measure in MEASURES]
            shots = "" if pd.isna(made["shots"]) else f"{made['shots']:.0f}"  # the ceiling belongs to no number
            body.append([label(made["generator"]) + weighted, shots, *measures])
        place = f"{label(names['dataset'])}, k = {names['k']:.0f}, {VARIANTS[names['variant']].lower()}"
        caption = f"Diversity on {place}, in percent: mean over seeds with 95 % intervals."
        parts.append(_table(caption, ["Generator", "Shots", *map(str.capitalize, MEASURES)], body))
    return _file(parts)


def _groups(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The rows for each combination of values of `columns`, with these values by column, in the table's order."""
    for values, rows in table.groupby(columns, sort=False, dropna=False):
        yield dict(zip(columns, values, strict=True)), rows


class _Cell(str):
    """LaTeX, not text to be escaped."""

    __slots__ = ()


def _table(caption: str, header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [_row(row) for row in body]
    return "\n".join(
        (
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            _row(header),
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        )
    )


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cell if isinstance(cell, _Cell) else escaped(cell) for cell in cells) + r" \\"


def _file(parts: Sequence[str]) -> str:
    head = "% Written by latex_tables. In the preamble: \\usepackage{booktabs}"
    return "\n\n".join((head, *parts)) + "\n"


def _shots(number: str) -> str:
    return "all shots" if number == ALL_SHOTS else f"{number} shot{'' if number == '1' else 's'}"


def _with_interval(value: float, low: float, high: float, style: str = "%s", mark: str = "") -> _Cell:
    ends = f"[{_percent(low)}, {_percent(high)}]"
    return _Cell(f"{style % _percent(value)}{mark} {{\\scriptsize {ends}}}")


def _percent(fraction: float) -> str:
    """A fraction in percent with one digit, with a minus sign, and never minus zero."""
    return f"{round(100 * fraction, 1) + 0:.1f}".replace("-", "$-$")


def _difference(row: dict[Any, Any]) -> _Cell:
    style = r"\textbf{%s}" if row["answer"] in ("yes", "hurts") else "%s"
    mark = r"$^\dagger$" if row["primary"] else ""
    return _with_interval(row["estimate"], row["adjusted_low"], row["adjusted_high"], style, mark)


def _p(value: float) -> _Cell:
    return _Cell("$<$0.001" if value < 0.001 else f"{value:.3f}")


def _over_seeds(values: pd.Series) -> _Cell:
    """The mean with Student's interval over seeds; one seed has none."""
    found = values.dropna().to_numpy(dtype=np.float64)
    if len(found) < 2:
        return _Cell(_percent(found[0]) if len(found) else "")
    reach = float(stdtrit(len(found) - 1, 0.975) * found.std(ddof=1) / np.sqrt(len(found)))
    return _with_interval(found.mean(), found.mean() - reach, found.mean() + reach)

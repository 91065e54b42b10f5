"""The report's charts: accuracy over shots, the ablation, and the calibration of the guide classifiers.

Every function returns a matplotlib figure; `save_figure` writes equal figures to equal files. Colors are those of Okabe
and Ito, which are distinguishable with any color vision, and every line has its own marker.
"""

from collections.abc import Sequence
from itertools import cycle
from math import isnan
from pathlib import Path
from typing import Any, Literal

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diagen.files.json_files import Bin, Calibration, ValidationFigures
from diagen.report.labels import label
from diagen.report.statistics import Difference, over_seeds, paired_difference

INK, FAINT = "#333333", "#d9d9d9"
STYLE: dict[Any, Any] = {  # matplotlib lists the allowed keys in its type
    "svg.hashsalt": "diagen",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": "#ececec",
    "legend.frameon": False,
}
LOOKS = {
    "standard": ("#7f7f7f", "s"),
    "da_fusion": ("#0072b2", "o"),
    "da_fusion_tuned": ("#56b4e9", "v"),
    "noise": ("#e69f00", "^"),
    "llm": ("#009e73", "P"),
    "noise_llm": ("#cc79a7", "X"),
    "diagen": ("#d55e00", "D"),
}
SPARE_LOOKS = [("#000000", "<"), ("#5d3a9b", ">"), ("#994f00", "p"), ("#0c7bdc", "h"), ("#a2142f", "d")]


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure, without a date, in the format of the suffix (.svg or .png)."""
    with matplotlib.rc_context(STYLE):
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, bbox_inches="tight", facecolor="white", metadata=metadata, dpi=160)


def plot_accuracy(accuracy: pd.DataFrame) -> Figure:
    """Plot accuracy over shots: a row of panels per dataset, a panel per split, a line per method.

    `accuracy` is the table `summary/accuracy.csv`; error bars are standard errors over seeds, omitted for one seed.
    """
    means = over_seeds(accuracy, ["dataset", "split", "method", "shots"], "accuracy")
    datasets, splits, methods = (_distinct(means[column]) for column in ("dataset", "split", "method"))
    shots = sorted(_distinct(means["shots"]))
    looks = _looks(methods)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(splits) + 0.4, 3.5 * len(datasets) + 0.5), layout="constrained")
        panels = figure.subplots(len(datasets), len(splits), squeeze=False, sharey="row")
        for dataset, row in zip(datasets, panels, strict=True):
            for split, axes in zip(splits, row, strict=True):
                here = means[(means["dataset"] == dataset) & (means["split"] == split)]
                for method in methods:
                    _draw_line(axes, here[here["method"] == method], method, shots, looks)
                axes.set_title(label(split))
                axes.set_xticks(range(len(shots)), [str(count) for count in shots])
                axes.set_xlim(-0.3, len(shots) - 0.7)
                axes.grid(axis="y")
                axes.set_xlabel("real images per class")
            row[0].set_ylabel(f"{label(dataset)}: accuracy, %" if len(datasets) > 1 else "accuracy, %")
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 4), columnspacing=1.6)
    return figure


def plot_ablation(accuracy: pd.DataFrame) -> Figure:
    """Plot the mean accuracy of each method over shots and seeds, and its difference to a baseline.

    The baseline is DA-Fusion, or else the first method. A small dot is one run, a large one the mean; text at the right
    is the mean paired difference to the baseline in percentage points, with its 95 % interval for three pairs or more.
    Panels as in `plot_accuracy`.
    """
    datasets, splits, methods = (_distinct(accuracy[column]) for column in ("dataset", "split", "method"))
    baseline = "da_fusion" if "da_fusion" in methods else methods[0]
    looks = _looks(methods)
    with matplotlib.rc_context(STYLE):
        size = (3.9 * len(splits) + 1.2, (0.42 * len(methods) + 1.1) * len(datasets))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(datasets), len(splits), squeeze=False, sharey=True)
        for dataset, row in zip(datasets, panels, strict=True):
            for split, axes in zip(splits, row, strict=True):
                here = accuracy[(accuracy["dataset"] == dataset) & (accuracy["split"] == split)]
                for position, method in enumerate(methods):
                    _draw_runs(axes, here, method, baseline, position, looks[method][0])
                axes.set_title(f"{label(dataset)}: {label(split)}" if len(datasets) > 1 else label(split))
                axes.set_yticks(range(len(methods)), [label(method) for method in methods])
                axes.set_ylim(len(methods) - 0.5, -0.5)
                axes.margins(x=0.08)
                axes.grid(axis="x")
                axes.spines["left"].set_visible(False)
                axes.set_xlabel("accuracy, %")
                axes.text(1.02, 1.0, f"vs {label(baseline)}", transform=axes.transAxes, fontsize=8, va="bottom")
    return figure


def plot_calibration(calibrations: Sequence[Calibration]) -> Figure:
    """Plot the reliability of guide classifiers before and after temperature scaling, with bins pooled over all.

    `calibrations` are the contents of `calibration.json` files; those without validation images are left out. The
    legend shows means over the classifiers: the expected calibration error, the negative log-likelihood and the
    temperature.
    """
    found = [(each["reliability"], each["val"], each["temperature"]) for each in calibrations]
    fitted = [(bins, figures, value) for bins, figures, value in found if bins is not None and figures is not None]
    temperature = np.mean([value for _, _, value in fitted]) if fitted else 1.0
    states: list[tuple[Literal["before", "after"], str, str, str]] = [
        ("before", "before", "#7f7f7f", "s"),
        ("after", f"after (T = {temperature:.2f})", "#d55e00", "D"),
    ]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 5.6), layout="constrained")
        diagram, counts = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        diagram.plot([0, 100], [0, 100], color=FAINT, linestyle="--", zorder=0)
        if not fitted:
            diagram.set_title("no validation images: the temperature is 1")
        for state, name, color, marker in states if fitted else ():
            edges, count, confidence, accuracy = pool_bins([bins[state] for bins, _, _ in fitted])
            errors, losses = zip(*(_error_and_loss(figures, state) for _, figures, _ in fitted), strict=True)
            error, loss = np.mean(errors), np.mean(losses)
            text = f"{name}: ECE {100 * error:.1f} %, NLL {loss:.2f}"
            diagram.plot(100 * confidence, 100 * accuracy, color=color, marker=marker, label=text, linewidth=1.6)
            counts.stairs(count, 100 * edges, color=color, linewidth=1.6)
        diagram.set_ylabel("accuracy, %")
        diagram.set_ylim(-2, 102)
        if fitted:
            diagram.legend(loc="upper left")
        diagram.grid()
        counts.set_ylabel("images")
        counts.set_xlabel("confidence, %")
    return figure


def _error_and_loss(values: ValidationFigures, state: Literal["before", "after"]) -> tuple[float, float]:
    """Expected calibration error and negative log-likelihood."""
    if state == "before":
        return values["ece_before"], values["nll_before"]
    return values["ece_after"], values["nll_after"]


def pool_bins(tables: Sequence[list[Bin]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pool reliability bins with the same edges.

    Returns the edges `[bins + 1]`, the counts `[bins]`, and mean confidence and accuracy in [0, 1] of the non-empty
    bins `[non-empty bins]`.
    """
    count = np.array([[each["count"] for each in bins] for bins in tables], dtype=np.float64)
    confidence = np.array([[each["confidence"] for each in bins] for bins in tables], dtype=np.float64)
    accuracy = np.array([[each["accuracy"] for each in bins] for bins in tables], dtype=np.float64)
    total = count.sum(axis=0)
    filled = total > 0
    edges = np.array([each["lower"] for each in tables[0]] + [tables[0][-1]["upper"]])
    sums = [np.nansum(count * values, axis=0)[filled] for values in (confidence, accuracy)]
    return edges, total, sums[0] / total[filled], sums[1] / total[filled]


def _distinct(column: pd.Series) -> list[Any]:
    return column.drop_duplicates().tolist()


def _looks(methods: Sequence[str]) -> dict[str, tuple[str, str]]:
    spare = cycle(SPARE_LOOKS)
    return {method: LOOKS[method] if method in LOOKS else next(spare) for method in methods}


def _draw_line(
    axes: Axes, means: pd.DataFrame, method: str, shots: list[int], looks: dict[str, tuple[str, str]]
) -> None:
    color, marker = looks[method]
    strong = method in ("standard", "da_fusion", "diagen")
    axes.errorbar(
        [shots.index(count) for count in means["shots"]],
        100 * means["mean"],
        yerr=None if means["standard_error"].isna().any() else 100 * means["standard_error"],
        label=label(method),
        color=color,
        marker=marker,
        markersize=6 if strong else 4.5,
        linewidth=2.2 if strong else 1.3,
        elinewidth=1,
        zorder=3 if strong else 2,
    )


def _draw_runs(axes: Axes, runs: pd.DataFrame, method: str, baseline: str, position: int, color: str) -> None:
    values = 100 * runs[runs["method"] == method]["accuracy"].to_numpy()
    if values.size == 0:
        return
    axes.scatter(values, np.full(values.size, position), s=14, color=color, alpha=0.4, linewidths=0)
    axes.scatter(values.mean(), position, s=64, color=color, zorder=3)
    if method == baseline or baseline not in set(runs["method"]):
        return
    text = _difference_text(paired_difference(runs, method, baseline))
    axes.text(1.02, position, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def _difference_text(difference: Difference) -> str:
    text = f"{100 * difference.mean:+.1f}".replace("-", "−")
    if difference.n_pairs < 3 or isnan(difference.low):
        return text
    return f"{text} ± {100 * (difference.high - difference.mean):.1f}"

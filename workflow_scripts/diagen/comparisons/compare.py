"""The tables of means, comparisons and worth of an experiment, from its outcomes."""

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pandas as pd

from diagen.comparisons import worth as worths
from diagen.comparisons.families import holm, levels, sign_flip_p
from diagen.comparisons.intervals import ACCURACY, Estimates, Numbers, estimate, interval, joined, p_value
from diagen.comparisons.outcomes import Outcomes
from diagen.comparisons.power import detectable_difference, images_needed, seeds_needed
from diagen.comparisons.tables_file import ALL_SHOTS, COMPARISONS, MEANS, WORTH
from diagen.comparisons.verdicts import RELEVANT, Evidence, sample

ALPHA = 0.05
FAMILY = ["dataset", "split", "shots", "baseline", "table"]
"""Rows that a reader sees together, and among which the exploratory ones are corrected for their number: all methods
against a baseline, or all classes of one method against it."""


def means_table(outcomes: Sequence[Outcomes]) -> pd.DataFrame:
    """The class-balanced accuracy of each method and number of shots with its two-way interval (columns `MEANS`)."""
    rows = []
    for found in outcomes:
        for method, right in zip(found.methods, found.right, strict=True):
            overall, _ = estimate(_with_mean(right.astype(np.float64)), found.counts)
            ends = zip(overall.mean, *interval(overall, ALPHA, ACCURACY), strict=True)
            rows += [
                (found.dataset, found.split, shots, method, *numbers, overall.seeds, int(found.counts.sum()))
                for shots, numbers in zip(_labels(found), ends, strict=True)
            ]
    return pd.DataFrame(rows, columns=MEANS)


def comparisons_table(
    outcomes: Sequence[Outcomes], *, baselines: Sequence[str], primary: str | None, split: str, folds: bool
) -> pd.DataFrame:
    """Each method against each of `baselines`, over all classes and per class (columns `COMPARISONS`).

    The primary comparison of a dataset is that of the method `primary` with the first baseline, on `split`, over all
    shots and classes. Other rows are exploratory: their adjusted values are corrected within their `FAMILY`.
    """
    names, parts = [], []
    for found in outcomes:
        for baseline in baselines:
            for method in found.methods:
                if method != baseline:
                    rows, estimates = _compared(found, method, baseline)
                    names += rows
                    parts += estimates
    if not parts:
        return pd.DataFrame(columns=COMPARISONS)
    table = pd.DataFrame(names, columns=["dataset", "split", "shots", "class", "method", "baseline"])
    chosen = table[["method", "baseline", "split", "shots", "class"]]
    table["primary"] = (chosen == [primary, baselines[0], split, ALL_SHOTS, ""]).all(axis=1)
    return _judged(table, joined(parts), folds=folds)


def worth_table(outcomes: Sequence[Outcomes], *, baselines: Sequence[str], folds: bool) -> pd.DataFrame:
    """The photos that each method is worth on the curve of each of `baselines` (columns `WORTH`)."""
    rows = []
    for found in outcomes:
        images, seeds = int(found.counts.sum()), found.right.shape[2]
        for baseline in baselines:
            curve = found.right[found.methods.index(baseline)]
            for method, right in zip(found.methods, found.right, strict=True):
                if method != baseline:
                    for one in worths.worth(right, curve, found.shots, found.counts):
                        text = worths.sentence(one, sample(seeds, images, folds=folds))
                        shots, *numbers = astuple(one)
                        names = (found.dataset, found.split, method, baseline, str(shots))
                        rows.append((*names, *numbers, seeds, images, text))
    return pd.DataFrame(rows, columns=WORTH)


def _compared(found: Outcomes, method: str, baseline: str) -> tuple[list[tuple[str, ...]], list[Estimates]]:
    """The names of the rows of one comparison, and their estimates: all classes, then each class, by shots."""
    one, other = (found.right[found.methods.index(name)].astype(np.float64) for name in (method, baseline))
    overall, per_class = estimate(_with_mean(one - other), found.counts)
    labels, ends = _labels(found), (method, baseline)
    names: list[tuple[str, ...]] = [(found.dataset, found.split, shots, "", *ends) for shots in labels]
    names += [(found.dataset, found.split, shots, name, *ends) for shots in labels for name in found.classes]
    return names, [overall.flat(), per_class.flat()]


def _judged(table: pd.DataFrame, found: Estimates, *, folds: bool) -> pd.DataFrame:
    """The rows of `table` with their intervals, p values and verdicts."""
    p = p_value(found)
    adjusted_p, alpha = p.copy(), np.full(len(p), ALPHA)
    shown = table["method"].where(table["class"] != "", "")
    exploratory = table.assign(table=shown)[~table["primary"]]
    for rows in exploratory.groupby(FAMILY, sort=False).indices.values():
        family = exploratory.index[rows].to_numpy()
        adjusted_p[family], alpha[family] = holm(p[family]), levels(p[family], ALPHA)
    (low, high), (adjusted_low, adjusted_high) = interval(found, ALPHA), interval(found, alpha)
    evidence = [
        Evidence(*row)
        for row in zip(
            found.mean.tolist(),
            adjusted_low.tolist(),
            adjusted_high.tolist(),
            [found.seeds] * len(table),
            found.images.astype(np.int64).tolist(),
            (~table["primary"]).tolist(),
            detectable_difference(found, alpha=alpha).tolist(),
            seeds_needed(found, RELEVANT, alpha).tolist(),
            images_needed(found, RELEVANT, alpha).tolist(),
            [folds] * len(table),
            strict=True,
        )
    ]
    judged = table.assign(
        estimate=found.mean,
        low=low,
        high=high,
        df=found.df,
        seeds=found.seeds,
        images=found.images.astype(np.int64),
        variance_images=found.variance_images,
        variance_seeds=found.variance_seeds,
        p=p,
        adjusted_p=adjusted_p,
        adjusted_low=adjusted_low,
        adjusted_high=adjusted_high,
        sign_flip_p=sign_flip_p(found.by_seed),
        answer=[each.answer for each in evidence],
        verdict=[each.verdict for each in evidence],
    )
    return judged[COMPARISONS]


def _with_mean(by_shots: Numbers) -> Numbers:
    """Values `[shots, seeds, images]`, and their mean over shots as one more."""
    return np.concatenate((by_shots, by_shots.mean(axis=0, keepdims=True)))


def _labels(found: Outcomes) -> list[str]:
    return [*map(str, found.shots), ALL_SHOTS]

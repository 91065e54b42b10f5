"""Compare the methods of an experiment, and write three tables: comparisons, worth and means (CSV)."""

import argparse
from pathlib import Path

from diagen.config.programs import CompareMethodsSettings
from diagen.runtime.program import run


def main() -> None:
    """Read the predictions of all cells, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<experiment>")
    parser.add_argument("--settings", type=CompareMethodsSettings.from_argument, required=True, help="as JSON")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="output folder")
    arguments = parser.parse_args()
    settings, folder = arguments.settings, arguments.output

    from diagen.comparisons.compare import comparisons_table, means_table, worth_table
    from diagen.comparisons.outcomes import read_outcomes, require_split
    from diagen.comparisons.tables_file import write_table

    outcomes = [
        found
        for dataset in settings.datasets
        for found in read_outcomes(
            arguments.results,
            dataset,
            cell_seeds=settings.cell_seeds,
            folds=settings.folds,
            shots=settings.shots,
            methods=settings.methods,
        )
    ]
    require_split(outcomes, settings.datasets, settings.split)
    shown = {"baselines": settings.baselines, "folds": settings.folds > 1}
    comparisons = comparisons_table(outcomes, primary=settings.primary, split=settings.split, **shown)
    write_table(comparisons, folder / "comparisons.csv")
    write_table(worth_table(outcomes, **shown), folder / "worth.csv")
    write_table(means_table(outcomes), folder / "means.csv")


if __name__ == "__main__":
    run(main)

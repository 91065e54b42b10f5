"""Collect the results of an experiment in four tables: accuracy, per_class, diversity and prompts (CSV)."""

import argparse
from itertools import product, starmap
from pathlib import Path

from diagen.cells import Cell
from diagen.comparisons.tables_file import write_table
from diagen.config.choices import REAL
from diagen.config.programs import SummarizeSettings
from diagen.files.json_files import read_diversity, read_metrics
from diagen.files.results_layout import cell_folder
from diagen.prompts.prompts_file import read_prompts
from diagen.report.summary_tables import (
    accuracy_table,
    diversity_table,
    over_folds,
    per_class_table,
    pool_folds,
    prompts_table,
)
from diagen.runtime.program import run


def main() -> None:
    """Read the results of all cells, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<experiment>")
    parser.add_argument("--settings", type=SummarizeSettings.from_argument, required=True, help="as JSON")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="output folder")
    arguments = parser.parse_args()
    names, results = arguments.settings, arguments.results

    folders = {
        cell: cell_folder(results, cell) for cell in starmap(Cell, product(names.datasets, names.seeds, names.shots))
    }
    metrics = [
        read_metrics(folder / "downstream" / method / "metrics.json")
        for folder in folders.values()
        for method in names.methods
    ]
    pooled = pool_folds(metrics, names.folds)
    sets = [
        (generator, weighting, f"{generator}/{weighting}.json" if weighting else f"{generator}.json")
        for name in names.generators
        for generator, weighting in [(name, ""), *(pair for pair in names.weighted if pair[0] == name)]
    ]
    diversity = [
        ((cell.dataset, generator, cell.seed, cell.shots, weighting), read_diversity(folder / "diversity" / file))
        for cell, folder in folders.items()
        for generator, weighting, file in sets
    ]
    ceilings = [
        ((dataset, REAL, None, None, ""), read_diversity(results / dataset / "ceiling.json"))
        for dataset in (names.datasets if names.generators else ())
    ]
    prompts = [
        (dataset, name, read_prompts(results / dataset / "prompts" / f"{name}.csv"))
        for dataset, name in product(names.datasets, names.prompt_sets)
    ]
    tables = {
        "accuracy": accuracy_table(pooled),
        "per_class": per_class_table(pooled),
        "diversity": over_folds(diversity_table([*diversity, *ceilings]), names.folds),
        "prompts": prompts_table(prompts),
    }
    for name, table in tables.items():
        write_table(table, arguments.output / f"{name}.csv")


if __name__ == "__main__":
    run(main)

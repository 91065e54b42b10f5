"""Where the files of an experiment are kept in `results/<experiment>`."""

from pathlib import Path

from diagen.cells import Cell


def cell_folder(results: Path, cell: Cell) -> Path:
    """The folder of a cell in `results/<experiment>`."""
    return results / cell.dataset / f"seed{cell.seed}" / f"shots{cell.shots}"

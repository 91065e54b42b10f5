"""Snakemake's records of jobs: their time, memory and resources (`benchmarks/**/*.jsonl`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_benchmarks(folder: Path) -> Iterator[dict[str, Any]]:
    """The record of each job below `folder`: of several attempts, that of the last.

    Records that cannot be read are skipped: no result depends on them, and a killed run leaves incomplete ones.
    """
    for path in sorted(folder.rglob("*.jsonl")):
        try:
            record = json.loads(path.read_text("utf-8").strip().splitlines()[-1])
        except (ValueError, IndexError, OSError):
            continue
        if isinstance(record, dict):
            yield record

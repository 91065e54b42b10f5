"""Find all damaged or missing results, with the files to remove and to make again.

Images are compared with the hashes in the manifests. Other files are read by the functions that the programs use.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from diagen.classifiers.trained_file import Epoch, read_head
from diagen.comparisons import tables_file
from diagen.config import REAL_BASELINES
from diagen.data.images_file import read_images, read_skipped
from diagen.data.leakage_file import read_leaks
from diagen.data.shots_file import read_shots
from diagen.embeddings.words_file import read_learned_words
from diagen.files.json_files import read_calibration, read_diversity, read_metrics
from diagen.files.made_with import read_made_with
from diagen.files.predictions_file import read_predictions
from diagen.files.tables import DamagedFile, read_features, read_rows, reading
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.generation.plan_file import PlanRow, read_plan
from diagen.noise_ceilings.ceilings_file import read_ceilings
from diagen.prompts.lines_file import lines_path, read_lines
from diagen.prompts.prompts_file import read_prompts
from diagen.report import summary_tables
from diagen.weighting.weights_file import WeightRow, read_weights


def _read_history(path: Path) -> None:
    columns = [field.name for field in fields(Epoch)]
    validated = ("val_loss", "val_accuracy")  # empty without validation images

    def parse(values: dict[str, str]) -> list[float]:
        return [float(value) for name, value in values.items() if value or name not in validated]

    if not read_rows(path, columns, parse):
        raise DamagedFile(path, "it lists no epochs")


def _read_predictions(path: Path) -> None:
    if not read_predictions(path):
        raise DamagedFile(path, "it lists no predictions")


def _read_tensors(path: Path) -> None:
    with reading(path, SafetensorError):
        if not all(np.isfinite(tensor).all() for tensor in load_file(path).values()):
            raise ValueError("it contains non-finite values")


def _read_page(path: Path) -> None:
    ending = f"</{path.suffix[1:]}>"
    with reading(path):
        if not path.read_text("utf-8").rstrip().endswith(ending):
            raise ValueError(f"it does not end with {ending}")


READERS: dict[str, Callable[[Path], object]] = {
    "*.made_with.json": read_made_with,
    "summary/accuracy.csv": partial(summary_tables.read_table, columns=summary_tables.ACCURACY),
    "summary/per_class.csv": partial(summary_tables.read_table, columns=summary_tables.PER_CLASS),
    "summary/diversity.csv": partial(summary_tables.read_table, columns=summary_tables.DIVERSITY),
    "summary/comparisons.csv": tables_file.read_comparisons,
    "summary/worth.csv": tables_file.read_worth,
    "summary/means.csv": tables_file.read_means,
    "summary/prompts.csv": partial(summary_tables.read_table, columns=summary_tables.PROMPTS),
    "prompts/*.lines.csv": read_lines,
    "prompts/*.csv": read_prompts,
    "shots*/shots.csv": read_shots,
    "embeddings/*.safetensors": read_learned_words,
    "noise_ceilings/*.csv": read_ceilings,
    "synthetic/*/plan.csv": read_plan,
    "synthetic/*/manifest.csv": read_manifest,
    "weights/*.csv": read_weights,
    "guide_classifiers/*/history.csv": _read_history,
    "guide_classifiers/*/calibration.json": read_calibration,
    "downstream/*/metrics.json": read_metrics,
    "downstream/*/history.csv": _read_history,
    "downstream/*/predictions.csv": _read_predictions,
    "guide_classifiers/*/head.safetensors": read_head,
    "downstream/*/head.safetensors": read_head,
    "diversity/*.json": read_diversity,
    "diversity/*/*.json": read_diversity,
    "ceiling.json": read_diversity,
    "words/*.safetensors": read_learned_words,
    "features/*.safetensors": _read_tensors,
    "checkpoints/*.safetensors": _read_tensors,
    "images.csv": read_images,
    "skipped.csv": read_skipped,
    "leakage.json": read_leaks,
    "noise_ladder.csv": read_manifest,
    "features.npy": read_features,
    "report.html": _read_page,
    "provenance.html": _read_page,
}
"""The reader of a file by the end of its path; the first match counts, since a prompt set may be named `images`."""
WRITTEN_TOGETHER: dict[str, tuple[tuple[str, ...], ...]] = {
    **{
        f"downstream/{name}": (("metrics.json", "predictions.csv", "metrics.made_with.json"),)
        for name in REAL_BASELINES
    },
    "downstream/*": (("metrics.json", "history.csv", "predictions.csv", "head.safetensors", "metrics.made_with.json"),),
    "guide_classifiers/*": (("head.safetensors", "calibration.json", "history.csv", "head.made_with.json"),),
    "summary": (
        ("accuracy.csv", "per_class.csv", "diversity.csv", "prompts.csv"),
        ("comparisons.csv", "worth.csv", "means.csv"),
    ),
}
"""Files that one job writes into a folder, by the first pattern that it matches: if one exists, all must exist."""
DATASET = (("images.csv", "skipped.csv"),)  # written together into each folder directly below the experiment's
STORED = ("words", "features", "checkpoints")
NOT_RESULTS = ("logs", "benchmarks", "export")
MANIFEST = "synthetic/*/manifest.csv"


@dataclass(frozen=True)
class Finding:
    """A damaged or missing file, its problem, the files to remove, and the target to request from Snakemake then."""

    path: Path
    problem: str
    remove: tuple[Path, ...]
    remake: Path | None


def verify_results(results: Path, store: Path) -> Iterator[Finding]:
    """Check an experiment's files in `results`, its images in `store`, and the store's other files.

    Files in `NOT_RESULTS` and hidden files are skipped. Yields findings in the order of the paths.
    """
    # A manifest is compared with its plan, features and weights, which are read next to it. A table of 50,000 images
    # takes 80 MB, so no more are kept than one comparison needs.
    tables = lru_cache(maxsize=3)(_read)
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results)
        if inside.parts[0] in NOT_RESULTS or any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_dir():
            yield from _missing_files(path, DATASET if len(inside.parts) == 1 else ())
            continue
        content, problem = tables(path) if path.suffix == ".csv" else _read(path)
        if problem:
            yield Finding(path, problem, (path,), path)
        elif path.match(MANIFEST):
            yield from _compare_with_plan(path, content, tables(path.with_name("plan.csv"))[0])
            yield from _check_images(path, content, store)
        elif path.match("noise_ladder.csv"):
            yield from _check_images(path, content, store)
        elif path.match("prompts/*.csv"):
            yield from _missing_lines(path)
        elif path.match("weights/*.csv"):
            yield from _compare_with_manifest(path, content, tables(path.parents[1] / "manifest.csv")[0])
        elif path.name == "features.npy":
            yield from _compare_with_table(path, content, tables(_table_of(path))[0])
    # Jobs resume from these files, so a damaged one would stop each job that reads it.
    for path in sorted(file for kind in STORED for file in store.glob(f"{kind}/*.safetensors")):
        if not path.name.startswith(".") and (problem := _read(path)[1]):
            yield Finding(path, problem, (path,), None)


def _missing_files(folder: Path, default: tuple[tuple[str, ...], ...]) -> Iterator[Finding]:
    """Missing files in `folder`: of those that one job writes together (else `default`), or the table of features."""
    groups = next((names for pattern, names in WRITTEN_TOGETHER.items() if folder.match(pattern)), default)
    started = [names for names in groups if any((folder / name).is_file() for name in names)]
    missing = [folder / name for names in started for name in names if not (folder / name).is_file()]
    table = _table_of(folder / "features.npy")
    if not started and (folder / "features.npy").is_file() and not table.is_file():
        missing.append(table)
    yield from (Finding(path, "is missing", (), path) for path in missing)


def _missing_lines(prompts: Path) -> Iterator[Finding]:
    """The table of lines that the job of a table of prompts writes beside it, if it is missing."""
    lines = lines_path(prompts)
    if not prompts.name.endswith(".lines.csv") and not lines.is_file():
        yield Finding(lines, "is missing", (), lines)


def _read(path: Path) -> tuple[Any, str | None]:
    """The content of a file from its reader, and the problem of a damaged file.

    The content is `None` for a damaged file, and for a file without a reader.
    """
    read = next((read for pattern, read in READERS.items() if path.match(pattern)), None)
    try:
        return (None if read is None else read(path)), None
    except DamagedFile as error:
        return None, error.reason
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"


# In the comparisons below, the other file's content is `None` if that file is damaged, which is a finding of its own.


def _compare_with_plan(
    path: Path, manifest: Sequence[ManifestRow], plan: Sequence[PlanRow] | None
) -> Iterator[Finding]:
    if plan is not None and _planned(manifest) != _planned(plan):
        # Either file may be the edited one.
        yield Finding(path, "does not list the images that plan.csv plans", (path, path.with_name("plan.csv")), path)


def _compare_with_manifest(
    path: Path, weights: Sequence[WeightRow], manifest: Sequence[ManifestRow] | None
) -> Iterator[Finding]:
    if manifest is not None and [row.file_name for row in weights] != [row.file_name for row in manifest]:
        yield Finding(path, "rows differ from manifest.csv", (path,), path)


def _compare_with_table(
    path: Path, features: NDArray[np.float32], images: Sequence[object] | None
) -> Iterator[Finding]:
    if images is not None and len(features) != len(images):
        table = _table_of(path)
        # No other file is compared with a dataset's table, so the table may be the damaged one.
        remove = (path,) if table.name == "manifest.csv" else (path, table)
        yield Finding(path, f"features of {len(features)} images, but {table.name} lists {len(images)}", remove, path)


def _table_of(features: Path) -> Path:
    """The table that lists the images of a file of features."""
    return features.with_name("manifest.csv" if features.match("synthetic/*/*") else "images.csv")


def _check_images(path: Path, manifest: Sequence[ManifestRow], store: Path) -> Iterator[Finding]:
    """The images of a manifest that are missing in the store or differ from the manifest's hash."""
    for row in manifest:
        image = store / row.file_name
        try:
            if hashlib.sha256(image.read_bytes()).hexdigest() != row.sha256:
                yield Finding(image, f"the hash differs from that in {path}", (image, path), path)
        except FileNotFoundError:
            yield Finding(image, "is missing", (path,), path)
        except OSError as error:
            yield Finding(image, f"cannot be read ({error.strerror})", (image, path), path)


def _planned(rows: Sequence[ManifestRow] | Sequence[PlanRow]) -> list[tuple]:
    """The columns that plan and manifest share."""
    return [
        (row.class_name, row.guide, row.number, row.prompt, row.noise_level, row.noise_seed, row.image_seed)
        for row in rows
    ]

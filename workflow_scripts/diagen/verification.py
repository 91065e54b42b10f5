"""Results that were damaged or lost after they were made, all of them at once, and how each is made again.

Images are compared with the hashes in the manifests. Of other files it is seen that they can be read and are whole.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from diagen import evaluation, manifest, noise_ceilings, plan, prompts, sampling, shots, statistics
from diagen.datasets import table
from diagen.result_files import DamagedFile, read_rows
from diagen.training_state import Epoch

HISTORY = tuple(field.name for field in fields(Epoch))
TABLES: dict[str, Callable[[Path], object]] = {
    "summary/accuracy.csv": lambda path: statistics.read_table(path, statistics.ACCURACY),
    "summary/per_class.csv": lambda path: statistics.read_table(path, statistics.PER_CLASS),
    "summary/diversity.csv": lambda path: statistics.read_table(path, statistics.DIVERSITY),
    "summary/prompts.csv": lambda path: statistics.read_table(path, statistics.PROMPTS),
    "images.csv": table.read_images,
    "skipped.csv": table.read_skipped,
    "prompts/*.csv": prompts.read_prompts,
    "shots.csv": shots.read_shots,
    "noise_ceilings/*.csv": noise_ceilings.read_ceilings,
    "synthetic/*/plan.csv": plan.read_plan,
    "synthetic/*/manifest.csv": manifest.read_manifest,
    "weights/*.csv": sampling.read_weights,
    "guide/*/history.csv": lambda path: read_rows(path, HISTORY, "train_guide_classifier", dict),
    "downstream/*/history.csv": lambda path: read_rows(path, HISTORY, "train_downstream", dict),
    "downstream/*/predictions.csv": lambda path: read_rows(path, evaluation.COLUMNS, "train_downstream", dict),
}
"""What reads the tables, by the end of their path; the first that fits counts."""
FIGURES: dict[str, tuple[str, ...]] = {
    "leakage.json": ("near_distance", "leaks"),
    "guide/*/calibration.json": ("temperature", "classes"),
    "downstream/*/metrics.json": ("method", "splits"),
}
"""Keys of the JSON files that hold an object; the others hold a list."""
TOGETHER: dict[str, tuple[str, ...]] = {
    "downstream/*": ("metrics.json", "history.csv", "predictions.csv", "head.safetensors"),
    "guide/*": ("head.safetensors", "calibration.json", "history.csv"),
    "summary": ("accuracy.csv", "per_class.csv", "diversity.csv", "prompts.csv"),
}
"""Files that one job writes into a folder: where one is, all must be."""
NOT_RESULTS = ("logs", "benchmarks", "export")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, SafetensorError)


@dataclass(frozen=True)
class Finding:
    """A damaged or missing file, what is wrong with it, what to remove, and the file to ask the workflow for then."""

    path: Path
    problem: str
    remove: tuple[Path, ...]
    remake: Path | None


def verify_results(results: Path, store: Path) -> Iterator[Finding]:
    """Look at everything that an experiment wrote into its folder `results`, and at its images in `store`."""
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results)
        if inside.parts[0] in NOT_RESULTS or any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_dir():
            names = next((names for pattern, names in TOGETHER.items() if path.match(pattern)), ())
            for name in names if any((path / name).is_file() for name in names) else ():
                if not (path / name).is_file():
                    yield Finding(path / name, "is missing", (), path / name)
        elif problem := _problem(path):
            # Of a plan and a manifest that differ, either may be the one that was edited.
            together = (path, path.with_name("plan.csv")) if path.match("synthetic/*/manifest.csv") else (path,)
            yield Finding(path, problem, together, path)
        elif path.match("synthetic/*/manifest.csv"):
            yield from _images(path, store)
    # A file that is there is taken for whole, so a damaged one would stop each job that goes on with it.
    for path in sorted([*store.glob("words/*.safetensors"), *store.glob("checkpoints/*.safetensors")]):
        if not path.name.startswith(".") and (problem := _problem(path)):
            yield Finding(path, problem, (path,), None)


def _images(path: Path, store: Path) -> Iterator[Finding]:
    """The images that a manifest names and that aren't in the store as it says."""
    for row in manifest.read_manifest(path):
        image = store / row.file_name
        if not image.is_file():
            yield Finding(image, "is missing", (path,), path)
        elif hashlib.sha256(image.read_bytes()).hexdigest() != row.sha256:
            yield Finding(image, f"isn't the image that {path} names: its hash differs", (image, path), path)


def _problem(path: Path) -> str | None:
    """What is wrong with a file, as far as it is known what it should hold."""
    check = CHECKS.get(path.suffix)
    try:
        return check(path) if check else None
    except DamagedFile as error:
        return error.reason if error.path == path else str(error)
    except UNREADABLE as error:
        return f"can't be read ({' '.join(str(error).split()) or type(error).__name__})"


def _check_table(path: Path) -> str | None:
    read = next((read for pattern, read in TABLES.items() if path.match(pattern)), None)
    if read is not None:
        read(path)
    if path.match("synthetic/*/manifest.csv") and _planned(path) != _planned(path.with_name("plan.csv")):
        return "doesn't hold what plan.csv beside it plans"
    if path.match("weights/*.csv") and not _is_damaged(path.parents[1] / "manifest.csv"):
        made = manifest.read_manifest(path.parents[1] / "manifest.csv")
        if [row.file_name for row in sampling.read_weights(path)] != [row.file_name for row in made]:
            return "doesn't hold the images of the manifest"
    return None


def _is_damaged(path: Path) -> bool:
    """Whether a file is there and damaged, so that others can't be compared with it; it is told by itself."""
    return path.is_file() and _problem(path) is not None


def _planned(path: Path) -> list[tuple]:
    rows = plan.read_plan(path) if path.name == "plan.csv" else manifest.read_manifest(path)
    return [
        (row.class_name, row.guide, row.number, row.prompt, row.noise_level, row.noise_seed, row.image_seed)
        for row in rows
    ]


def _check_json(path: Path) -> str | None:
    content = json.loads(path.read_text("utf-8"))
    keys = next((keys for pattern, keys in FIGURES.items() if path.match(pattern)), None)
    if keys is None:
        return None if content and isinstance(content, list) else "holds no list of measures"
    lacking = [key for key in keys if key not in content]
    return f"lacks {', '.join(lacking)}" if lacking else None


def _check_tensors(path: Path) -> str | None:
    tensors = load_file(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
    key = {"embeddings": "losses", "words": "losses", "checkpoints": None}.get(path.parent.name, "classes")
    if key and key not in metadata:
        return f"lacks its {key}"
    return None if all(np.isfinite(tensor).all() for tensor in tensors.values()) else "holds values that aren't finite"


def _check_features(path: Path) -> str | None:
    features = np.load(path, mmap_mode="r")
    source = path.with_name("manifest.csv")
    if _is_damaged(source):
        return None
    images = len(
        manifest.read_manifest(source) if source.is_file() else table.read_images(path.with_name("images.csv"))
    )
    return None if features.shape[:1] == (images,) else f"holds features of {len(features)} images, not of {images}"


def _check_page(path: Path) -> str | None:
    ending = f"</{path.suffix[1:]}>"
    return None if path.read_text("utf-8").rstrip().endswith(ending) else f"isn't whole: it doesn't end with {ending}"


CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".csv": _check_table,
    ".json": _check_json,
    ".safetensors": _check_tensors,
    ".npy": _check_features,
    ".svg": _check_page,
    ".html": _check_page,
}

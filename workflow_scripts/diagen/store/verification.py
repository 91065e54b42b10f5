"""Results that were damaged or lost after they were made, all of them at once, and how each is made again.

Images are compared with the hashes in the manifests. Other files are read as the programs read them that need them.
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

from diagen.classifiers import evaluation
from diagen.classifiers.head_file import read_head
from diagen.classifiers.history_file import Epoch
from diagen.data.images_file import read_images, read_skipped
from diagen.data.leakage_file import read_leaks
from diagen.data.shots_file import read_shots
from diagen.embeddings.words_file import read_learned_words
from diagen.files.json_files import read_calibration, read_diversity, read_metrics
from diagen.files.made_with import read_made_with
from diagen.files.tables import DamagedFile, read_features, read_rows, reading
from diagen.generation.manifest_file import ManifestRow, read_manifest
from diagen.generation.plan_file import PlanRow, read_plan
from diagen.noise_ceilings.ceilings_file import read_ceilings
from diagen.prompts.prompts_file import read_prompts
from diagen.report import statistics
from diagen.weighting.weights_file import WeightRow, read_weights


def _read_history(path: Path) -> None:
    columns = [field.name for field in fields(Epoch)]
    if not read_rows(path, columns, lambda values: [float(value) for value in values.values()]):
        raise DamagedFile(path, "it holds no epoch")


def _read_predictions(path: Path) -> None:
    if not read_rows(path, evaluation.COLUMNS, lambda values: float(values["probability"])):
        raise DamagedFile(path, "it holds no prediction")


def _read_checkpoint(path: Path) -> None:
    with reading(path, SafetensorError):
        if not all(np.isfinite(tensor).all() for tensor in load_file(path).values()):
            raise ValueError("it holds values that aren't finite")


def _read_page(path: Path) -> None:
    ending = f"</{path.suffix[1:]}>"
    with reading(path):
        if not path.read_text("utf-8").rstrip().endswith(ending):
            raise ValueError(f"it doesn't end with {ending}")


READERS: dict[str, Callable[[Path], object]] = {
    "*.made_with.json": read_made_with,
    "summary/accuracy.csv": partial(statistics.read_table, columns=statistics.ACCURACY),
    "summary/per_class.csv": partial(statistics.read_table, columns=statistics.PER_CLASS),
    "summary/diversity.csv": partial(statistics.read_table, columns=statistics.DIVERSITY),
    "summary/prompts.csv": partial(statistics.read_table, columns=statistics.PROMPTS),
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
    "words/*.safetensors": read_learned_words,
    "checkpoints/*.safetensors": _read_checkpoint,
    "images.csv": read_images,
    "skipped.csv": read_skipped,
    "leakage.json": read_leaks,
    "features.npy": read_features,
    "*.svg": _read_page,
    "*.html": _read_page,
}
"""What reads a file, by the end of its path; the first that fits counts (a set of prompts may be called `images`)."""
TOGETHER: dict[str, tuple[str, ...]] = {
    "downstream/*": ("metrics.json", "history.csv", "predictions.csv", "head.safetensors", "metrics.made_with.json"),
    "guide_classifiers/*": ("head.safetensors", "calibration.json", "history.csv", "head.made_with.json"),
    "summary": ("accuracy.csv", "per_class.csv", "diversity.csv", "prompts.csv"),
}
"""Files that one job writes into a folder: where one is, all must be."""
DATASET = ("images.csv", "skipped.csv")  # the same, in each folder of the experiment itself
NOT_RESULTS = ("logs", "benchmarks", "export")
MANIFEST = "synthetic/*/manifest.csv"


@dataclass(frozen=True)
class Finding:
    """A damaged or missing file, what is wrong with it, what to remove, and the file to ask the workflow for then."""

    path: Path
    problem: str
    remove: tuple[Path, ...]
    remake: Path | None


def verify_results(results: Path, store: Path) -> Iterator[Finding]:
    """Look at everything that an experiment wrote into its folder `results`, and at its images in `store`."""
    tables = lru_cache(maxsize=8)(_read)  # a manifest is read for itself, and compared with its weights and features
    for path in sorted(results.rglob("*")):
        inside = path.relative_to(results)
        if inside.parts[0] in NOT_RESULTS or any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_dir():
            yield from _lost_beside_others(path, DATASET if len(inside.parts) == 1 else ())
            continue
        content, problem = tables(path) if path.suffix == ".csv" else _read(path)
        if problem:
            yield Finding(path, problem, (path,), path)
        elif path.match(MANIFEST):
            yield from _unlike_its_plan(path, content, tables(path.with_name("plan.csv"))[0])
            yield from _images(path, content, store)
        elif path.match("weights/*.csv"):
            yield from _unlike_its_manifest(path, content, tables(path.parents[1] / "manifest.csv")[0])
        elif path.name == "features.npy":
            yield from _unlike_its_table(path, content, tables(_listing(path))[0])
    # A file that is there is taken for whole, so a damaged one would stop each job that goes on with it.
    for path in sorted([*store.glob("words/*.safetensors"), *store.glob("checkpoints/*.safetensors")]):
        if not path.name.startswith(".") and (problem := _read(path)[1]):
            yield Finding(path, problem, (path,), None)


def _lost_beside_others(folder: Path, otherwise: tuple[str, ...]) -> Iterator[Finding]:
    """Files that one job writes together, or from each other, and of which only some are there."""
    names = next((names for pattern, names in TOGETHER.items() if folder.match(pattern)), otherwise)
    if any((folder / name).is_file() for name in names):
        lost = [folder / name for name in names if not (folder / name).is_file()]
    else:
        source = _listing(folder / "features.npy")
        lost = [source] if (folder / "features.npy").is_file() and not source.is_file() else []
    yield from (Finding(path, "is missing", (), path) for path in lost)


def _read(path: Path) -> tuple[Any, str | None]:
    """The content of a file as its reader gives it, and how it shows that it isn't what its program wrote.

    The content is None where it can't be read, and where nothing is known of what it should hold.
    """
    read = next((read for pattern, read in READERS.items() if path.match(pattern)), None)
    try:
        return (None if read is None else read(path)), None
    except DamagedFile as error:
        return None, error.reason
    except OSError as error:
        return None, f"can't be read ({error.strerror})"


# What a file is compared with is None where it can't be read, which is told by itself.


def _unlike_its_plan(path: Path, made: Sequence[ManifestRow], planned: Sequence[PlanRow] | None) -> Iterator[Finding]:
    if planned is not None and _planned(made) != _planned(planned):
        # Either may be the one that was edited.
        yield Finding(path, "doesn't hold what plan.csv beside it plans", (path, path.with_name("plan.csv")), path)


def _unlike_its_manifest(
    path: Path, weights: Sequence[WeightRow], made: Sequence[ManifestRow] | None
) -> Iterator[Finding]:
    if made is not None and [row.file_name for row in weights] != [row.file_name for row in made]:
        yield Finding(path, "doesn't hold the images of the manifest", (path,), path)


def _unlike_its_table(path: Path, features: NDArray[np.float32], images: Sequence[object] | None) -> Iterator[Finding]:
    if images is not None and len(features) != len(images):
        source = _listing(path)
        # A dataset's table is compared with nothing else, so it may be the one that was cut.
        remove = (path,) if source.name == "manifest.csv" else (path, source)
        problem = f"holds features of {len(features)} images, and {source.name} lists {len(images)}"
        yield Finding(path, problem, remove, path)


def _listing(features: Path) -> Path:
    """The table of the images whose features a file holds."""
    return features.with_name("manifest.csv" if features.match("synthetic/*/*") else "images.csv")


def _images(path: Path, made: Sequence[ManifestRow], store: Path) -> Iterator[Finding]:
    """The images that a manifest names and that aren't in the store as it says."""
    for row in made:
        image = store / row.file_name
        try:
            if hashlib.sha256(image.read_bytes()).hexdigest() != row.sha256:
                yield Finding(image, f"isn't the image that {path} names: its hash differs", (image, path), path)
        except FileNotFoundError:
            yield Finding(image, "is missing", (path,), path)
        except OSError as error:
            yield Finding(image, f"can't be read ({error.strerror})", (image, path), path)


def _planned(rows: Sequence[ManifestRow] | Sequence[PlanRow]) -> list[tuple]:
    return [
        (row.class_name, row.guide, row.number, row.prompt, row.noise_level, row.noise_seed, row.image_seed)
        for row in rows
    ]

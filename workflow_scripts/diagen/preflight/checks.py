"""Checks before a run: what would run and whether it can. A failed check does not stop the others."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from diagen.config import Config, Dataset, DrawnWorld
from diagen.config.prompt_sets import asks_llama
from diagen.config.relations import missing_files
from diagen.data.adapters.registry import list_images
from diagen.data.gaps import split_gaps, too_few_classes
from diagen.data.images_file import read_images
from diagen.data.images_needed import (
    classes_below_folds,
    few_validation_images,
    images_needed,
    training_part,
)
from diagen.data.photo_list import photos_warning
from diagen.errors import InputError, summary
from diagen.plurals import count
from diagen.preflight import estimate
from diagen.preflight.models import check_models
from diagen.preflight.operations import Operations
from diagen.preflight.rates import assumed_rates
from diagen.preflight.report import Report
from diagen.runtime.execution import find_device, try_compiling, try_device, why_no_gpu
from diagen.runtime.gpu_lease import visible_gpus
from diagen.runtime.llama_device import build_remedy, can_offload

PROBLEMS_SHOWN = 30


def check(config: Config, *, name: str, planned: str, gpus: int, results: Path, store: Path) -> Report:
    """Check everything that `config` needs, and estimate the cost of the run.

    `name` is the name of the configuration in the report; `planned` the output of Snakemake's dry run; `gpus` the
    limit on GPUs, -1 for none; `results` the folder of the experiment; `store` that of the images.
    """
    report = Report([f"configuration  {name}: valid"])
    report.problems += sorted(missing_files(dict(config)))
    counts = check_datasets(config, results, report)
    if config.folds > 1:
        seeds, shots = (
            count(len(config.seeds), "seed"),
            count(len(config.shot_counts), "number of shots", "numbers of shots"),
        )
        cells = len(config.cell_seeds) * len(config.shot_counts)
        report.facts.append(
            f"folds          {config.folds} folds x {seeds} x {shots} = {cells} cells, "
            "each with its own words and images"
        )
    operations = check_models(config, report)
    device = check_device(config, gpus, report)
    check_precision(config, report)
    check_llama_build(config, device, report)
    jobs = job_counts(planned)
    if jobs is None:
        last = " ".join(planned.split())[-500:]
        report.problems.append(f"Snakemake cannot plan the jobs; fix what it reports: {last}")
        jobs = {}
    else:
        names = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        report.facts.append(f"jobs           {sum(jobs.values())} to run{': ' if names else ''}{names}")
    check_disk(config, counts, jobs, store, report)
    report.facts += time_table(config, counts, operations, jobs, results / "benchmarks", device)
    return report


def check_datasets(config: Config, results: Path, report: Report) -> dict[str, estimate.ImageCounts]:
    """Classes and images of each dataset, from its table of images or, before that exists, from its file names."""
    counts = {}
    for name, dataset in config.datasets.items():
        table = results / name / "images.csv"
        if not table.is_file() and not isinstance(dataset, DrawnWorld) and not Path(dataset.root).is_dir():
            continue  # reported with the other missing files
        try:
            images, problems, notes = _images(dataset, table)
            changed = photos_warning(name, dataset, table, table.with_name("skipped.csv"))
        except InputError as error:
            report.problems.append(f"`datasets.{name}`: {error}")
            continue
        except Exception as error:  # a report without a line for this dataset would hide the others
            report.problems.append(
                f"`datasets.{name}`: its images cannot be listed ({summary(error)}). Check its files and annotations, "
                "or leave the dataset out"
            )
            continue
        report.warnings += [changed] if changed else []
        problems += _too_few(images, config)
        if images or not problems:  # other problems explain why nothing is listed
            problems += too_few_classes(label for _, label in images)
        few = few_validation_images(_validating(images, config)) if config.needs_validation else None
        below = classes_below_folds(Counter(label for _, label in images), config.folds)
        notes += [*split_gaps(images), *(note for note in (few, below) if note)]
        report.warnings += [f"`datasets.{name}`: {note}" for note in notes]
        hidden = len(problems) - PROBLEMS_SHOWN
        problems[PROBLEMS_SHOWN:] = [f"and {hidden} more"] if hidden > 0 else []
        report.problems += [f"`datasets.{name}`: {problem}" for problem in problems]
        splits = Counter(split for split, _ in images)
        counts[name] = estimate.ImageCounts(len({label for _, label in images}), dict(splits))
        numbers = ", ".join(f"{number} {split}" for split, number in sorted(splits.items()))
        report.facts.append(f"dataset        {name}: {counts[name].classes} classes, {numbers or 'no'} images")
    return counts


def _images(dataset: Dataset, table: Path) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Split and class of each image, problems and notes: from the table or, without one, from the file names."""
    if table.is_file():
        return [(row.split, row.class_name) for row in read_images(table)], [], []
    if isinstance(dataset, DrawnWorld):
        sizes = {"train_val": dataset.train_val_per_class, "test": dataset.test_per_class}
        sizes["test_uncommon"] = dataset.test_uncommon_per_class
        images = [(split, label) for label in dataset.classes for split, size in sizes.items() for _ in range(size)]
        return images, [], []
    listing = list_images(dataset)
    return (
        [(image.split, image.class_name) for image in listing.images],
        list(listing.problems),
        list(listing.notes),
    )


def _too_few(images: list[tuple[str, str]], config: Config) -> list[str]:
    """Problems of classes with too few train-val images for shots and folds; `images` are pairs of split and class."""
    found = Counter(label for split, label in images if split == "train_val")
    shots, folds = config.required_shots, config.folds
    needed = images_needed({split for split, _ in images}, shots, config.needs_validation)
    validates = " (one validates)" if needed > shots else ""
    problems = [
        f"the class `{label}` has {found[label]} train-val images"
        + (f" ({_left(found[label], folds)} beside the largest of {folds} folds)" if folds > 1 else "")
        + f", and {shots} shots need {needed}{validates}; add images, leave the class out (`classes`) or lower `shots`"
        for label in sorted({label for _, label in images})
        if _left(found[label], folds) < needed
    ]
    most = max(found.values(), default=0)
    if 0 < most < folds:
        problems.append(f"{folds} folds, but at most {most} images of a class; lower `evaluation.folds` to {most}")
    return problems


def _left(count: int, folds: int) -> int:
    """The images of a class that are left for training, if none has a copy."""
    return training_part([1] * count, folds)


def _validating(images: list[tuple[str, str]], config: Config) -> dict[str, int]:
    """The number of validation images of each class; `images` are pairs of split and class."""
    counts = Counter(images)
    labels = sorted({label for _, label in images})
    if any(split == "val" for split, _ in images):
        return {label: counts["val", label] for label in labels}
    left = {label: _left(counts["train_val", label], config.folds) for label in labels}
    return {label: max(min(1, count), count - config.guide_pool) for label, count in left.items()}


def check_device(config: Config, cap: int, report: Report) -> str:
    """The kind of device for the estimated time; a warning if Snakemake's limit `cap` differs from the number of GPUs.

    If GPUs are allowed but this machine has none, such as the login node of a cluster, the estimate is for a GPU.
    """
    gpus = visible_gpus()
    try:
        kind = find_device(config.execution.device)
    except InputError as error:
        report.problems.append(str(error))
        return "cuda"
    names = ", ".join(gpu.model or gpu.identity for gpu in gpus) if kind == "cuda" else ""
    report.facts.append(f"device         {kind}{': ' if names else ''}{names}")
    if kind == "cuda" and gpus and cap != len(gpus):
        found = "is 1 GPU" if len(gpus) == 1 else f"are {len(gpus)} GPUs"
        report.warnings.append(
            f"there {found}, but the limit on `gpu` is {cap if cap >= 0 else 'not set'}; add "
            f"`--resources gpu={len(gpus)}` so that no GPU is idle and no job waits for one"
        )
    if kind == "cpu" and config.execution.device == "auto":
        none = f"torch finds none of the {len(gpus)} GPUs of this machine ({why_no_gpu()})"
        found = none if gpus else "there is no GPU here"
        report.warnings.append(
            f"{found}, so all jobs would run on the CPU; the estimated hours are for a GPU. To use the CPU, set "
            "`execution.device: cpu`"
        )
        return "cuda"
    return kind


def check_precision(config: Config, report: Report) -> None:
    """Try the device of the jobs in each precision that the configuration names, and compiling if it is set."""
    embeddings = [config.embeddings[name].dtype for name in config.used_blocks()["embeddings"]]
    try:
        kind = find_device(config.execution.device)
        if kind == "cpu" and config.models.diffusion.dtype == "float16":
            report.warnings.append(
                "`models.diffusion.dtype`: many CPUs compute in float16 far slower than in float32; to use the "
                "CPU, set it to float32 or bfloat16"
            )
        for dtype in dict.fromkeys(("float32", config.models.diffusion.dtype, *embeddings)):
            try_device(kind, dtype)
        if config.execution.compile:
            try_compiling(kind)
    except InputError as error:
        if str(error) not in report.problems:  # the missing device is reported already
            report.problems.append(str(error))
    except RuntimeError as error:
        report.warnings.append(f"the memory of the GPU is full now, so it was not tried ({summary(error)})")


def check_llama_build(config: Config, device: str, report: Report) -> None:
    """Warn if this machine has a GPU of the kind `device`, but prompts are written on the CPU."""
    asked = any(asks_llama(config.prompts[name]) for name in config.used_blocks()["prompts"])
    if asked and (device == "mps" or (device == "cuda" and visible_gpus())) and not can_offload():
        report.warnings.append(f"models.llama: prompts are written on the CPU: {build_remedy()}")


def check_disk(
    config: Config, counts: Mapping[str, estimate.ImageCounts], jobs: Mapping[str, int], store: Path, report: Report
) -> None:
    """Compare the free space at `store` with the estimated size of the images to be generated.

    Without the images of a dataset, there is no estimate.
    """
    if len(counts) < len(config.datasets):
        return
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    cells = len(config.cell_seeds) * len(config.shot_counts) * len(counts)
    planned = jobs.get("generate_images", 0) / max(1, cells * len(config.used_blocks()["generators"]))
    images = round(min(1.0, planned) * estimate.synthetic_images(config, counts))
    needed = images * config.models.diffusion.image_size**2 * estimate.BYTES_PER_PIXEL
    report.facts.append(f"disk           {_size(needed)} for about {images} new images, {_size(free)} free at {store}")
    if needed > free:
        report.problems.append(
            f"{store}: {images} images need about {_size(needed)}, but {_size(free)} are free; make room, or replace "
            f"{store} with a link to a larger disk: mv {store} /path/on/large/disk; ln -s /path/on/large/disk {store}"
        )


def _size(number: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB")
    power = min(len(units) - 1, max(0, len(str(int(number))) - 1) // 3)
    return f"{number / 1000**power:.3g} {units[power]}"


def job_counts(text: str) -> dict[str, int] | None:
    """Jobs by rule from the table of Snakemake's dry run; `None` without a table."""
    _, mark, table = text.rpartition("Job stats:\n")
    if not mark:
        return None
    found = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
    return {rule: int(number) for rule, number in found if rule not in ("total", "all", "preflight")}


def time_table(
    config: Config,
    counts: Mapping[str, estimate.ImageCounts],
    operations: Operations,
    jobs: Mapping[str, int],
    benchmarks: Path,
    device: str,
) -> Iterator[str]:
    """The lines with the time of each stage and the source of the estimate."""
    work = list(estimate.all_work(config, counts, operations))
    text_device = device if device != "cpu" and can_offload() else "cpu"
    assumed = assumed_rates(device, config.execution.torch_threads, text_device=text_device)
    stages = estimate.estimate(work, jobs, estimate.measured_seconds(benchmarks), assumed)
    if not stages:
        return
    yield f"{'stage':<24}{'jobs':>6}{'TFLOP a job':>14}{'hours' if device == 'cpu' else 'GPU hours':>12}   from"
    for stage in stages:
        source = f"{stage.measured} jobs measured here" if stage.measured else "operations"
        yield f"{stage.rule:<24}{stage.jobs:>6}{stage.tflop:>14.4g}{_hours(stage.hours):>12}   {source}"
    total_jobs, total_hours = sum(stage.jobs for stage in stages), sum(stage.hours for stage in stages)
    yield f"{'total':<24}{total_jobs:>6}{'':>14}{_hours(total_hours):>12}"
    if not all(stage.measured for stage in stages):
        half, single = assumed.tflops["half"], assumed.tflops["single"]
        rates = f"{single:.3g}" if half == single else f"{half:.3g} (half precision) and {single:.3g} (single)"
        threads = count(assumed.threads, "CPU thread")
        yield f"Stages without measured jobs are estimated at {rates} TFLOP/s and {threads} a job."


def _hours(hours: float) -> str:
    """Hours with two decimals, which are a minute or so."""
    return "<0.01" if hours < 0.01 else f"{hours:,.2f}"

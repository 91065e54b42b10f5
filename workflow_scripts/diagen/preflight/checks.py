"""Checks before a run: what would run and whether it can. A failed check does not stop the others."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from diagen.config import Config, DrawnWorld
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, ModelSource
from diagen.config.prompt_sets import asks_llama
from diagen.config.relations import missing_files
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import read_images
from diagen.data.images_needed import images_needed
from diagen.errors import InputError
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import load_diffusion
from diagen.preflight import estimate
from diagen.preflight.gguf import open_gguf
from diagen.preflight.operations import Operations, count, count_diffusion, paper_operations
from diagen.prompts.chat_template import check_chat_template
from diagen.runtime.execution import find_device
from diagen.runtime.gpu_lease import visible_gpus
from diagen.runtime.llama_device import build_remedy, can_offload

PROBLEMS_SHOWN = 30
CPU = torch.device("cpu")


@dataclass
class Report:
    """The result of the checks: facts in the order of the checks, warnings, and problems that would stop the run."""

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as printed, with the verdict at the end."""
        lines = [*self.facts, *(f"warning: {text}" for text in self.warnings)]
        lines += [f"problem: {text}" for text in self.problems]
        count = len(self.problems)
        verdict = f"NOT READY: {count} problem{'s' if count > 1 else ''}, see above." if count else "Ready to run."
        return "\n".join([*lines, verdict])


def check(config: Config, *, name: str, planned: str, gpus: int, results: Path, store: Path) -> Report:
    """Check everything that `config` needs, and estimate the cost of the run.

    `name` is the name of the configuration in the report; `planned` the output of Snakemake's dry run; `gpus` the
    limit on GPUs, -1 for none; `results` the folder of the experiment; `store` that of the images.
    """
    report = Report([f"configuration  {name}: valid"])
    report.problems += sorted(missing_files(dict(config)))
    counts = check_datasets(config, results, report)
    operations = check_models(config, report)
    device = check_device(config, gpus, report)
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
        problems: list[str] = []
        if table.is_file():
            images = [(row.split, row.class_name) for row in read_images(table)]
        elif isinstance(dataset, DrawnWorld):
            sizes = {"train_val": dataset.train_val_per_class, "test": dataset.test_per_class}
            sizes["test_uncommon"] = dataset.test_uncommon_per_class
            images = [(split, label) for label in dataset.classes for split, size in sizes.items() for _ in range(size)]
        elif not Path(dataset.root).is_dir():
            continue  # reported with the other missing files
        else:
            listing = list_images(dataset)
            problems += listing.problems
            images = [(image.split, image.class_name) for image in listing.images]
        problems += _too_few(images, max(config.shots))
        hidden = len(problems) - PROBLEMS_SHOWN
        problems[PROBLEMS_SHOWN:] = [f"and {hidden} more"] if hidden > 0 else []
        report.problems += [f"`datasets.{name}`: {problem}" for problem in problems]
        splits = Counter(split for split, _ in images)
        counts[name] = estimate.ImageCounts(len({label for _, label in images}), dict(splits))
        numbers = ", ".join(f"{number} {split}" for split, number in sorted(splits.items()))
        report.facts.append(f"dataset        {name}: {counts[name].classes} classes, {numbers or 'no'} images")
    return counts


def _too_few(images: list[tuple[str, str]], shots: int) -> list[str]:
    """Problems of classes with fewer train-val images than `shots` need; `images` are pairs of split and class."""
    found = Counter(label for split, label in images if split == "train_val")
    needed = images_needed({split for split, _ in images}, shots)
    validates = " (one validates)" if needed > shots else ""
    return [
        f"the class `{label}` has {found[label]} train-val images, and {shots} shots need {needed}{validates}; "
        "add images, leave the class out (`classes`) or lower `shots`"
        for label in sorted({label for _, label in images})
        if found[label] < needed
    ]


def check_models(config: Config, report: Report) -> Operations:
    """Load each model as the stages do, on the CPU, and count its operations; the paper's model if loading fails."""
    operations = paper_operations(config)
    for name, model in config.models.sources().items():
        if not model.location.exists():
            if model.repository is not None:  # missing local paths are reported with the other missing files
                report.problems.append(
                    f"models.{name}: {model.location}, downloaded from {model.repository}, is missing; "
                    "run `.venv/bin/snakemake --cores 1 download_models` with the same --configfile"
                )
            continue
        try:
            operations = replace(operations, **_load_and_count(name, model, config))
        except InputError as error:
            text = str(error)
            report.problems.append(text if text.lstrip("`").startswith(f"models.{name}") else f"models.{name}: {text}")
            continue
        source = model.path or f"{model.repository} at {str(model.revision)[:12]}"
        report.facts.append(f"model          {name}: {source} loads")
    return operations


def _load_and_count(name: str, model: ModelSource, config: Config) -> dict[str, float]:
    """TFLOP of the parts of a model, named as in `Operations`. Raises `InputError` if it cannot be loaded or run."""
    if isinstance(model, DiffusionModel):
        return count_diffusion(load_diffusion(model, CPU))
    if isinstance(model, FeatureModel):
        size, network = model.image_size, load_feature_extractor(model, CPU)
    elif isinstance(model, BackboneModel):
        size, network = config.downstream.image_size, load_backbone(model, CPU)
    else:
        open_gguf(model.location)
        check_chat_template(model.location, "Write captions.")
        return {}
    try:  # a real pass, which fails if the network does not support the size
        return {name: count(network, torch.zeros(1, 3, size, size))}
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(f"models.{name}: no support for images of {size} pixels ({error}); set another size") from None


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
            f"`--resources gpu={len(gpus)}` to run one job at a time on each"
        )
    if kind == "cpu" and config.execution.device == "auto":
        found = f"torch finds none of the {len(gpus)} GPUs of this machine" if gpus else "there is no GPU here"
        report.warnings.append(
            f"{found}, so all jobs would run on the CPU; the estimated hours are for a GPU. To use the CPU, set "
            "`execution.device: cpu`"
        )
        return "cuda"
    return kind


def check_llama_build(config: Config, device: str, report: Report) -> None:
    """Warn if this machine has a GPU of the kind `device`, but prompts are written on the CPU."""
    asked = any(asks_llama(config.prompts[name]) for name in config.used_blocks()["prompts"])
    if asked and (device == "mps" or (device == "cuda" and visible_gpus())) and not can_offload():
        report.warnings.append(f"models.llama: prompts are written on the CPU: {build_remedy()}")


def check_disk(
    config: Config, counts: Mapping[str, estimate.ImageCounts], jobs: Mapping[str, int], store: Path, report: Report
) -> None:
    """Compare the free space at `store` with the estimated size of the images to be generated."""
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    cells = len(config.seeds) * len(config.shots) * len(counts)
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
    assumed = dict(estimate.ASSUMED_TFLOPS)
    if device == "cpu":
        assumed["half"] = assumed["single"] = assumed["cpu"] * config.execution.torch_threads
    stages = estimate.estimate(work, jobs, estimate.measured_seconds(benchmarks), assumed)
    if not stages:
        return
    yield f"{'stage':<24}{'jobs':>6}{'TFLOP a job':>14}{'hours' if device == 'cpu' else 'GPU hours':>12}   from"
    for stage in stages:
        source = f"{stage.measured} jobs measured here" if stage.measured else "operations"
        yield f"{stage.rule:<24}{stage.jobs:>6}{stage.tflop:>14.4g}{stage.hours:>12.3g}   {source}"
    total_jobs, total_hours = sum(stage.jobs for stage in stages), sum(stage.hours for stage in stages)
    yield f"{'together':<24}{total_jobs:>6}{'':>14}{total_hours:>12.3g}"
    if not all(stage.measured for stage in stages):
        rates = f"{assumed['single']:.3g} TFLOP/s"
        if device != "cpu":
            rates = f"{assumed['half']:.0f} TFLOP/s in half and {assumed['single']:.0f} in single precision"
        yield f"Stages without measured jobs are estimated at {rates}, without the time for files."

"""What would run and whether it can, told before hours are spent: no check that fails stops the others."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from diagen.config import Config, DrawnWorld
from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel, ModelSource
from diagen.config.relations import missing_files
from diagen.data.adapters.registry import list_images
from diagen.data.images_file import read_images
from diagen.data.images_needed import images_needed
from diagen.errors import InputError
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import load_diffusion
from diagen.preflight import estimate
from diagen.preflight.operations import (
    DINOV2,
    PAPERS_BACKBONE,
    PAPERS_DIFFUSION,
    DiffusionOperations,
    count,
    count_diffusion,
)
from diagen.runtime.execution import find_device
from diagen.runtime.gpu_lease import visible_gpus

PROBLEMS_SHOWN = 30
CPU = torch.device("cpu")


@dataclass
class Report:
    """What the checks found: facts in the order they were found, warnings, and problems that would stop the run."""

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The report as it is printed; the verdict stands last."""
        lines = [*self.facts, *(f"warning: {text}" for text in self.warnings)]
        lines += [f"problem: {text}" for text in self.problems]
        count = len(self.problems)
        verdict = f"NOT READY: {count} problem{'s' if count > 1 else ''}, see above." if count else "Ready to run."
        return "\n".join([*lines, verdict])


def check(config: Config, *, name: str, planned: str, gpus: int, results: Path, store: Path) -> Report:
    """Check everything that `config` (called `name`) needs, and estimate what it costs.

    `planned` is what Snakemake printed when asked which jobs it would run; `gpus` the cap on GPUs that it was given,
    -1 for none. `results` is the experiment's folder, `store` that of the images.
    """
    report = Report([f"configuration  {name}: valid"])
    report.problems += sorted(missing_files(dict(config)))
    counts = check_datasets(config, results, report)
    operations = check_models(config, report)
    device = check_device(config, gpus, report)
    jobs = planned_jobs(planned)
    if jobs is None:
        last = " ".join(planned.split())[-500:]
        report.problems.append(f"Snakemake can't plan the jobs: {last}")
        jobs = {}
    else:
        names = ", ".join(f"{number} {rule}" for rule, number in jobs.items())
        report.facts.append(f"jobs           {sum(jobs.values())} to run{': ' if names else ''}{names}")
    check_disk(config, counts, jobs, store, report)
    report.facts += time_table(config, counts, operations, jobs, results / "benchmarks", device)
    return report


# ---------------------------------------------------------------- datasets


def check_datasets(config: Config, results: Path, report: Report) -> dict[str, estimate.ImageCounts]:
    """Classes and images of each dataset by its table of images or, before there is one, by its files' names."""
    counts = {}
    for name, dataset in config.datasets.items():
        table = results / name / "images.csv"
        problems: list[str] = []
        if table.is_file():
            images = [(row.split, row.class_name) for row in read_images(table)]
        elif isinstance(dataset, DrawnWorld):
            numbers = {
                "train_val": dataset.train_val_per_class,
                "test": dataset.test_per_class,
                "test_uncommon": dataset.test_uncommon_per_class,
            }
            images = [(split, label) for label in dataset.classes for split, n in numbers.items() for _ in range(n)]
        elif not Path(dataset.root).is_dir():
            continue  # told with the other files that are missing
        else:
            listing = list_images(dataset)
            problems = list(listing.problems)
            images = [(image.split, image.class_name) for image in listing.images]
        problems += _too_few(images, max(config.shots))
        shown = problems[:PROBLEMS_SHOWN]
        more = [f"and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
        report.problems += [f"`datasets.{name}`: {problem}" for problem in shown + more]
        splits = Counter(split for split, _ in images)
        classes = {label for _, label in images}
        counts[name] = estimate.ImageCounts(len(classes), dict(splits))
        numbers = ", ".join(f"{number} {split}" for split, number in sorted(splits.items()))
        report.facts.append(f"dataset        {name}: {len(classes)} classes, {numbers or 'no'} images")
    return counts


def _too_few(images: list[tuple[str, str]], shots: int) -> list[str]:
    found = Counter(label for split, label in images if split == "train_val")
    needed = images_needed({split for split, _ in images}, shots)
    validates = " (one validates)" if needed > shots else ""
    return [
        f"the class `{label}` has {found[label]} train-val images, and {shots} shots need {needed}{validates}; "
        "add images, leave the class out (`classes`) or ask for fewer `shots`"
        for label in sorted({label for _, label in images})
        if found[label] < needed
    ]


# ---------------------------------------------------------------- models


def check_models(config: Config, report: Report) -> estimate.Operations:
    """Load each model as the stages do, on the CPU, and count its operations; where that fails, take the paper's."""
    passes, backbone, features = _papers_operations(config)
    for name, model in config.models.sources().items():
        if not model.location.exists():
            if model.repository is not None:
                report.problems.append(
                    f"models.{name}: {model.repository} isn't in {model.location}; run `snakemake download_models`"
                )
            continue  # a local path that isn't there is told with the other files that are missing
        try:
            if isinstance(model, DiffusionModel):
                passes = count_diffusion(load_diffusion(model, CPU))
            elif isinstance(model, LlamaModel):
                open_gguf(model.location)
            elif isinstance(model, FeatureModel):
                features = _count_image(load_feature_extractor(model, CPU), model.image_size, name)
            elif isinstance(model, BackboneModel):
                backbone = _count_image(load_backbone(model, CPU), config.downstream.image_size, name)
        except InputError as error:
            report.problems.append(_with_key(name, str(error)))
            continue
        report.facts.append(f"model          {name}: {_source(model)} loads")
    return estimate.Operations(passes, backbone, features)


def open_gguf(path: Path) -> None:
    """Have llama.cpp read a GGUF file's header, its vocabulary, and where its tensors lie, but not the tensors.

    Raises `InputError` when it can't, or when the file is cut short.
    """
    import llama_cpp

    said: list[str] = []

    @llama_cpp.llama_log_callback
    def listen(level: int, text: bytes, _: object) -> None:
        said.append(text.decode("utf-8", "replace").strip())

    llama_cpp.llama_log_set(listen, None)
    options = llama_cpp.llama_model_default_params()
    options.vocab_only = True
    try:
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
        if not model:
            reasons = [text for text in said if "error" in text or "fail" in text] or said or ["no reason given"]
            raise InputError(f"{path}: llama.cpp can't load it ({reasons[0]}); fetch it again")
        llama_cpp.llama_model_free(model)
    finally:
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(), None)


def _papers_operations(config: Config) -> tuple[DiffusionOperations, float, float]:
    """What the paper's models would take, for those that aren't here yet."""
    backbone = PAPERS_BACKBONE * (config.downstream.image_size / 256) ** 2
    features = DINOV2.get(config.models.features.entry_point, DINOV2["dinov2_vitl14"])
    return PAPERS_DIFFUSION, backbone, features


def _count_image(model: torch.nn.Module, size: int, name: str) -> float:
    """TFLOP of one image of `size` pixels. It is really computed: a size that the model can't take is found now."""
    try:
        return count(model, torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(f"models.{name}: can't take images of {size} pixels ({error}); set another size") from None


def _source(model: ModelSource) -> str:
    return model.path or f"{model.repository} at {str(model.revision)[:12]}"


def _with_key(name: str, sentence: str) -> str:
    return sentence if sentence.startswith(f"models.{name}") else f"models.{name}: {sentence}"


# ---------------------------------------------------------------- machine


def check_device(config: Config, cap: int, report: Report) -> str:
    """The kind of device that time is reckoned for; warns when Snakemake's `cap` on GPUs isn't the number to be leased.

    Where a GPU may be taken and there is none here, as on the login node of a cluster, that is still a GPU.
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
            f"there {found}, but the cap on `gpu` {f'is {cap}' if cap >= 0 else 'is not set'}: run with "
            f"`--resources gpu={len(gpus)}` to use each for one job at a time"
        )
    if kind == "cpu" and config.execution.device == "auto":
        found = f"torch finds none of the {len(gpus)} GPUs that are here" if gpus else "there is no GPU here"
        report.warnings.append(
            f"{found}, so that on this machine everything would run on the CPU; the hours are those of one that has a "
            "GPU"
        )
        return "cuda"
    return kind


def check_disk(
    config: Config, counts: Mapping[str, estimate.ImageCounts], jobs: Mapping[str, int], store: Path, report: Report
) -> None:
    """Free space where the images go against an estimate of those that are to come."""
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    cells = len(config.seeds) * len(config.shots) * len(counts)
    generators = {method.generator for method in config.methods.values() if method.generator}
    share = min(1.0, jobs.get("generate_images", 0) / max(1, cells * len(generators)))
    images = round(share * estimate.synthetic_images(config, counts))
    needed = images * config.models.diffusion.image_size**2 * estimate.BYTES_PER_PIXEL
    report.facts.append(
        f"disk           {_size(needed)} for about {images} images to come, {_size(free)} free at {store}"
    )
    if needed > free:
        report.problems.append(
            f"{images} images need about {_size(needed)}, but {_size(free)} are free at {store}; make room, or let "
            f"{store} be a link to a larger disk"
        )


def _size(number: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB")
    power = min(len(units) - 1, max(0, len(str(int(number))) - 1) // 3)
    return f"{number / 1000**power:.3g} {units[power]}"


# ---------------------------------------------------------------- jobs and time


def planned_jobs(text: str) -> dict[str, int] | None:
    """Jobs by rule from the table that Snakemake prints on a dry run; none where it printed no table."""
    _, mark, table = text.rpartition("Job stats:\n")
    if not mark:
        return None
    found = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
    return {rule: int(number) for rule, number in found if rule not in ("total", "all", "preflight")}


def time_table(
    config: Config,
    counts: Mapping[str, estimate.ImageCounts],
    operations: estimate.Operations,
    jobs: Mapping[str, int],
    benchmarks: Path,
    device: str,
) -> Iterator[str]:
    """The lines on how long each stage takes, and what that is reckoned from."""
    work = estimate.all_work(config, counts, operations)
    assumed = dict(estimate.ASSUMED_TFLOPS)
    if device == "cpu":
        one = assumed["cpu"] * config.execution.torch_threads
        assumed |= {"half": one, "single": one}
    stages = estimate.estimate(work, jobs, estimate.measured_seconds(benchmarks), assumed)
    if not stages:
        return
    unit = "hours" if device == "cpu" else "GPU hours"
    yield f"{'stage':<24}{'jobs':>6}{'TFLOP a job':>14}{unit:>12}   from"
    for stage in stages:
        source = f"{stage.measured} jobs measured here" if stage.measured else "operations"
        yield f"{stage.rule:<24}{stage.jobs:>6}{stage.tflop:>14.4g}{stage.hours:>12.3g}   {source}"
    total_jobs, total_hours = sum(stage.jobs for stage in stages), sum(stage.hours for stage in stages)
    yield f"{'together':<24}{total_jobs:>6}{'':>14}{total_hours:>12.3g}"
    if not all(stage.measured for stage in stages):
        rates = (
            f"{assumed['single']:.3g} TFLOP/s"
            if device == "cpu"
            else f"{assumed['half']:.0f} TFLOP/s in half and {assumed['single']:.0f} in single precision"
        )
        yield f"Where nothing has been measured, {rates} are assumed, and files cost no time."

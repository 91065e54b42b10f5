"""A finished experiment in a folder: every file that the report reads, with invented but consistent content."""

import json
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from diagen.comparisons.tables_file import COMPARISONS, MEANS, WORTH
from diagen.config.programs import WriteReportSettings
from diagen.data.images_file import ImageRow, SkippedImage, write_images, write_skipped
from diagen.data.leakage_file import Leak, Twin, write_leaks
from diagen.data.shots_file import Shot, write_shots
from diagen.files.made_with import record_files, write_made_with
from diagen.files.tables import write_rows
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.prompts.lines_file import WrittenLine, write_lines
from diagen.report.results import Results
from diagen.report.summary_tables import ACCURACY, DIVERSITY, PER_CLASS, PROMPTS
from diagen.weighting.weights_file import WeightRow, write_weights

SPLITS = ("test", "test_uncommon")
GAINS = {"standard": 0.0, "da_fusion": 0.02, "noise_llm": 0.05, "diagen": 0.06, "strong": 0.03}
COLORS = ("#c33", "#3a6", "#36c", "#c93", "#849", "#088")


@dataclass
class Plan:
    """What the experiment consists of."""

    name: str = "mine"
    datasets: tuple[str, ...] = ("world",)
    classes: tuple[str, ...] = ("car", "pine_tree", "sail_boat")
    seeds: tuple[int, ...] = (0, 1, 2)
    shots: tuple[int, ...] = (2, 4)
    methods: tuple[str, ...] = ("standard", "da_fusion", "strong", "diagen")
    answer: str = "yes"
    adapter: str = "image_folder"
    folds: int = 1
    side: int = 32
    device: str = "cpu x86_64"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def primary(self) -> str:
        return self.methods[-1]

    @property
    def compared(self) -> tuple[str, ...]:
        return (*self.methods, "logistic_regression", "nearest_class_mean")


def settings(plan: Plan) -> WriteReportSettings:
    """What the rule passes to the program for such an experiment."""
    shared = {"embedding": "paper", "guidance_scale": 15}
    generators = {
        "da_fusion": {**shared, "strength": 0.5, "guidance_scale": 7.5},
        "strong": {**shared, "prompts": "paper", "noise_levels": [0.1], "strength": 0.9},
        "diagen": {**shared, "prompts": "paper", "noise_levels": [0.1], "strength": 0.7},
    }
    used = {name: block for name, block in generators.items() if name in plan.methods}
    methods = {
        name: {"generator": name, "weighting": "paper", "synthetic_probability": 0.7} if name in used else {}
        for name in plan.methods
    }
    return WriteReportSettings.model_validate({
        "experiment": plan.name,
        "datasets": {name: plan.adapter for name in plan.datasets},
        "seeds": plan.seeds,
        "folds": plan.folds,
        "shots": plan.shots,
        "primary": plan.primary,
        "ladder": next((name for name in ("diagen", "strong") if name in used), None),
        "methods": methods,
        "generators": used,
        "prompt_sets": ["paper"] if "diagen" in used else [],
        "weightings": {"paper": {"guide_classifier": "paper"}} if used else {},
        "models": {"diffusion": {"source": "CompVis/stable-diffusion-v1-4", "sha256": "0" * 64}},
        "recorded": {"prompts": ["paper"] if "diagen" in used else [], "manifest": list(used), "diversity": list(used)},
    })  # fmt: skip


def lay_out(folder: Path, plan: Plan) -> Results:
    """Write all files of the experiment below `folder`, and return them as the report reads them."""
    results = Results(folder / "results" / plan.name, folder / "results" / "store", settings(plan))
    for write in (_summary, _datasets, _cells, _records):
        write(results, plan)
    return results


def _frame(results: Results, name: str, rows: list[dict], columns: list[str]) -> None:
    path = results.folder / "summary" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False, lineterminator="\n")


def _summary(results: Results, plan: Plan) -> None:
    random, images = plan.random, 40 * len(plan.classes)
    baseline = plan.methods[0]
    comparisons, means, accuracy, per_class, worth = [], [], [], [], []
    base = {"logistic_regression": 0.015, "nearest_class_mean": 0.005, **GAINS}
    for dataset, split, shots, method in product(plan.datasets, SPLITS, (*plan.shots, "all"), plan.compared):
        gain = base.get(method, 0.01) + 0.005 * random.standard_normal()
        level = (
            0.62 + 0.05 * np.log2(np.mean(plan.shots) if shots == "all" else shots) - 0.12 * (split != "test") + gain
        )
        half = 0.03 + 0.01 * random.random()
        where = {"dataset": dataset, "split": split, "shots": shots}
        count = {"seeds": len(plan.seeds), "images": images}
        means.append({**where, "method": method, "mean": level, "low": level - half, "high": level + half, **count})
        if shots != "all":
            for seed in plan.seeds:
                run = {"dataset": dataset, "method": method, "seed": seed, "shots": shots, "split": split}
                value = float(np.clip(level + 0.015 * random.standard_normal(), 0, 1))
                accuracy.append({**run, "accuracy": value, "n_images": images})
                per_class += [{**run, "class": name, "accuracy": value, "n_images": 40} for name in plan.classes]
        if method == baseline:
            continue
        for name in ("", *plan.classes):
            estimate = gain + 0.03 * random.standard_normal() * bool(name)
            reach = half * (1.8 if name else 0.9)
            main = (method, split, shots, name) == (plan.primary, "test", "all", "")
            answer = plan.answer if main else "unclear"
            sentence = f"Can't tell: {100 * estimate:.1f} points ({images} test photos)."
            if main:
                sentence = f"Yes, by {100 * estimate:.1f} points (95 % CI {100 * (estimate - reach):.1f} to "
                sentence += f"{100 * (estimate + reach):.1f}; {len(plan.seeds)} seeds, {images} test photos)."
            comparisons.append({
                **where, "class": name, "method": method, "baseline": baseline, "estimate": estimate,
                "low": estimate - reach, "high": estimate + reach, "df": 9.5, **count,
                "variance_images": 1e-4, "variance_seeds": 1e-4, "p": 0.01, "adjusted_p": 0.05,
                "adjusted_low": estimate - 1.4 * reach, "adjusted_high": estimate + 1.4 * reach,
                "sign_flip_p": "", "primary": main,
                "answer": answer, "verdict": sentence,
            })  # fmt: skip
        if shots != "all" and method == plan.primary:
            photos = 1.4 + 0.3 * random.random()
            worth.append({
                "dataset": dataset, "split": split, "method": method, "baseline": baseline, "shots": shots,
                "photos": photos, "low": 0.4, "high": 2.6, "beyond": shots == plan.shots[-1], **count,
                "sentence": f"Worth {photos:.1f} photos per class (95 % CI 0.4 to 2.6).",
            })  # fmt: skip
    _frame(results, "comparisons", comparisons, COMPARISONS)
    _frame(results, "means", means, MEANS)
    _frame(results, "accuracy", accuracy, ACCURACY)
    _frame(results, "per_class", per_class, PER_CLASS)
    _frame(results, "worth", worth, WORTH)
    prompt = {"dataset": "world", "prompt_set": "paper", "class": "car", "number": 0, "prompt": "a photo of a car"}
    _frame(results, "prompts", [prompt], PROMPTS)
    generators = [*results.settings.generators, "real"] if results.settings.generators else []
    keys = ("dataset", "generator", "seed", "shots", "k", "scope", "variant")
    axes = (
        plan.datasets,
        generators,
        plan.seeds,
        plan.shots,
        (3, 5),
        ("pooled", *plan.classes),
        ("paper", "equal_size"),
    )
    diversity = [
        {
            **dict(zip(keys, one, strict=True)),
            "precision": 0.95 if one[1] == "real" else 0.6 + 0.3 * random.random(),
            "recall": 0.93 if one[1] == "real" else 0.2 + 0.1 * generators.index(one[1]) + 0.1 * random.random(),
            "density": 0.9,
            "coverage": 0.5,
            "n_real": 100,
            "n_synthetic": 60,
            "weighting": "",
        }
        for one in product(*axes)
        if one[1] != "real" or (one[-1] == "equal_size" and one[2:4] == (plan.seeds[0], plan.shots[0]))
    ]
    for row in diversity:
        row.update({"seed": "", "shots": ""} if row["generator"] == "real" else {})  # fmt: skip
    _frame(results, "diversity", diversity, DIVERSITY)


def picture(path: Path, plan: Plan, name: str) -> Path:
    """A colored shape on noise, as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = plan.random.integers(150, 230, (plan.side, plan.side, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    low, high = plan.side // 4, 3 * plan.side // 4
    number = plan.classes.index(name) % len(COLORS)
    shape = ImageDraw.Draw(image)
    draw = (shape.ellipse, shape.rectangle, shape.ellipse)[number % 3]
    draw((low, low + number, high, high + number), fill=COLORS[number])
    image.save(path)
    return path


def _datasets(results: Results, plan: Plan) -> None:
    for dataset in plan.datasets:
        folder = results.folder / dataset
        rows = [
            ImageRow(str(results.store / "photos" / f"{split}-{name}-{number}.png"), name, split, 32, 32, "")
            for split, count in (("train_val", 12), ("test", 40), ("test_uncommon", 40))
            for name in plan.classes
            for number in range(count)
        ]
        write_images(rows, folder / "images.csv")
        write_skipped([SkippedImage("a.png", plan.classes[0], "test", "a.png: not an image")], folder / "skipped.csv")
        for row in rows:
            picture(Path(row.path), plan, row.class_name)
        _features(plan, [row.class_name for row in rows], folder)
        if any(generator.noise_levels for generator in results.settings.generators.values()):
            name = plan.classes[0]
            ladder = [
                ManifestRow(
                    f"images/ladder-{level}.png", name, 0, number, f"a photo of a <{name}>", level, 1, 2, "0", 4
                )
                for number, level in enumerate((0.0, 0.1, 0.2))
            ]
            for step in ladder:
                picture(results.store / step.file_name, plan, name)
            write_manifest(ladder, folder / "noise_ladder.csv")
        one, other = rows[0].path, rows[1].path
        twins = (
            Twin("exact", 0.0, one, plan.classes[0], other, plan.classes[0]),
            Twin("apart", 0.2, other, plan.classes[0], rows[2].path, plan.classes[0]),
        )
        leaks = [
            Leak(cell.seed, cell.shots, "guide", "test", 120, int(cell.seed == 1), 0, twins)
            for cell in results.cells(dataset)
        ]
        write_leaks(leaks, 0.05, folder / "leakage.json")
        if results.settings.prompt_sets:
            lines = [
                WrittenLine(name, 0, f"a photo of a {word} {name.replace('_', ' ')} {rest}".strip(), verdict)
                for name in plan.classes
                for word, rest, verdict in (
                    ("red", "in a park at night", "kept"), ("shiny", "on a rainy city street", "kept"),
                    ("tiny", "", "kept"), ("big", "at sunset near the sea with many boats", "kept"),
                    ("red", "in a park at night", "duplicate"),
                )
            ]  # fmt: skip
            (folder / "prompts").mkdir(parents=True, exist_ok=True)
            write_lines(lines, folder / "prompts" / "paper.lines.csv")


def _cells(results: Results, plan: Plan) -> None:
    random = plan.random
    for dataset in plan.datasets:
        for cell in results.cells(dataset):
            folder = results.cell_folder(cell)
            drawn = [
                Shot("guide", name, guide, str(results.store / "photos" / f"train_val-{name}-{number}.png"), "0")
                for name in plan.classes
                for guide, number in enumerate(sorted(random.permutation(12)[: cell.shots].tolist()))
            ]
            folder.mkdir(parents=True)
            write_shots(drawn, folder / "shots.csv")
            predictions = []
            for split, name, number in product(("val", *SPLITS), plan.classes, range(20)):
                predicted = name if random.random() < 0.7 else str(random.choice(plan.classes))
                predictions.append((split, f"{name}{number}.png", name, predicted, 0.9))
            path = folder / "downstream" / plan.primary / "predictions.csv"
            path.parent.mkdir(parents=True)
            write_rows(("split", "path", "class", "predicted", "probability"), predictions, path)
            for generator in results.settings.generators:
                _synthetic(results, plan, folder / "synthetic" / generator, f"{generator}-{cell.seed}-{cell.shots}")
            if results.settings.weightings:
                path = folder / "guide_classifiers" / "paper" / "calibration.json"
                path.parent.mkdir(parents=True)
                path.write_text(json.dumps(calibration(plan)))


def _synthetic(results: Results, plan: Plan, folder: Path, stem: str) -> None:
    rows = [
        ManifestRow(f"images/{stem}-{place}-{number}.png", name, 0, number, f"a photo of a <{name}>", 0.1, 1, 2, "0", 4)
        for place, name in enumerate(plan.classes)
        for number in range(4)
    ]
    for row in rows:
        picture(results.store / row.file_name, plan, row.class_name)
    (folder / "weights").mkdir(parents=True)
    write_manifest(rows, folder / "manifest.csv")
    _features(plan, [row.class_name for row in rows], folder)
    confidences = plan.random.random(len(rows)) ** 0.4
    write_weights(
        [WeightRow(row.file_name, float(q), 1.3, float(q / 4)) for row, q in zip(rows, confidences, strict=True)],
        folder / "weights" / "paper.csv",
    )


def _features(plan: Plan, names: list[str], folder: Path) -> None:
    """Features around a center for each class."""
    centers = [plan.classes.index(name) * np.ones(8) for name in names]
    np.save(folder / "features.npy", (centers + plan.random.normal(size=(len(names), 8))).astype(np.float32))


def calibration(plan: Plan) -> dict:
    """The content of a `calibration.json`."""
    accuracy = np.sort(plan.random.random(15)).tolist()
    bins = [
        {"lower": i / 15, "upper": (i + 1) / 15, "count": i % 4 * 5, "confidence": (i + 0.5) / 15, "accuracy": value}
        for i, value in enumerate(accuracy)
    ]
    val = {f"{key}_{when}": 0.1 for key in ("accuracy", "nll", "ece") for when in ("before", "after")}
    val |= {"n_images": 24, "n_errors": 8}
    return {"temperature": 1.4, "val": val, "reliability": {"before": bins, "after": bins}}


def _records(results: Results, plan: Plan) -> None:
    names = results.settings
    cells = [(seed, shots) for seed in names.cell_seeds for shots in names.shots]
    record = (("device", plan.device), ("torch", "2.13.0"))
    for _, path in record_files(names.datasets, cells, names.recorded):
        result = results.folder / path.replace(".made_with.json", ".csv")
        result.parent.mkdir(parents=True, exist_ok=True)
        write_made_with([record], result)
    jobs = {
        "generate_images": {"gpu": 1, "shards": 2}, "train_downstream": {"gpu": 1, "jobs_per_gpu": 2},
        "index_dataset": {}, "summarize": {},
    }  # fmt: skip
    for rule, resources in jobs.items():
        path = results.folder / "benchmarks" / rule / "world.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"rule_name": rule, "s": 7200.0, "max_rss": 1234.5, "resources": resources}) + "\n")
    (results.folder / "benchmarks" / "killed.jsonl").write_text('{"rule_name": "gen')

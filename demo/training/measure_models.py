"""Measures the text-to-image model with the judge, and writes the model card and the checksums of all shipped files.

The card includes what `demo/training/measure_parts.py` measures on a run of the demo.
"""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from demo.training.architectures import MODELS, write_checksums
from demo.training.captions import PLACE_PHRASES, TIME_PHRASES, article, pick
from demo.training.judge import load_judge
from demo.training.loop import metrics_path, training_arguments, write_metrics
from demo.training.text_to_image import generate_from_noise
from demo.world.scenes import CLASSES, COLORS, PLACES, TIMES

NAME = "text_to_image"
SEED = 9_000_000
PROMPTS = 500
CLASSLESS_PROMPTS = 120
STEPS = 25
GUIDANCE_SCALE = 4.0

CARD = """# Models of the demo world

Small models of the same kinds and file formats as those of the paper, trained from scratch on the drawn world
(`demo/world/scenes.py`) by `make demo-models`. All weights are float16 safetensors or GGUF, {megabytes:.1f} MB
in total. `SHA256SUMS` lists the checksum of every file; the workflow compares a model's files with it before loading.

## License
Apache-2.0, like the workflow (`LICENSE`). The models are trained from scratch on drawn scenes, without photos and
without weights of other models.

## Data
Scenes of {classes} classes in {colors} colors, {places} places and {times} times of day, each drawn from a seed.
The rare classes (umbrella, mushroom) are in no training set. The autoencoder and the text-to-image model share their
training scenes; every other model, including the judge, has separate ones. No scene of a dataset
(`demo/world/draw_dataset.py`) is a training scene. Captions have DIAGen's prompt form or are one of the 27 templates of
Textual Inversion; one in ten is empty, and one in ten names no class (`demo/training/captions.py`).

## Quality
Measured with the judge below on pictures generated from noise, with {steps} PNDM steps and guidance scale {guidance:g}.
The {prompts} prompts name a color, a class and a place, half of them also a time of day.

| what the picture shows | share correct |
|---|---|
| class | {right_class:.1%} |
| place | {right_place:.1%} |
| color | {right_color:.1%} |
| time of day, if the prompt names one | {right_time:.1%} |

With "the" instead of the class name, the most frequent class is in {most_shown:.1%} of the pictures.
{parts}
## Training
{training}

The programs give the same weights on the same machine type with the same number of threads. Otherwise rounding
differs, and training amplifies the difference.{remark}

## Files
| file | bytes | SHA-256 |
|---|---|---|
{files}
"""
PARTS = """
## What each part of DIAGen does
Measured with the judge on a run of the demo's configuration (`demo/training/measure_parts.py`).

| part | figure | value |
|---|---|---|
| learned word | pictures from noise that show its class | {learned_word_shows_its_class:.1%} |
| initial word "the" | pictures from noise that show that class | {initial_word_shows_that_class:.1%} |
{noise}
| confidence | area under the ROC curve, with the judge's class as truth | {confidence_auc:.3f} |
| all together | synthetic images that show the class of their guide image | {images_of_their_class:.1%} |
"""
# The shipped weights were trained by an earlier version of the programs.
REMARK = """ The shipped weights differ in one respect: the autoencoder,
the judge, DINOv2 and the first of two rounds of the text-to-image model were trained on an earlier version of the
scenes, whose objects varied more in size (46 to 76 % of the picture), position and angle. In the scenes of the
autoencoder, cars also floated above their shadows."""


def prompts_of(generator: np.random.Generator) -> list[dict[str, str]]:
    """Prompts, each with its class, color, place and time; `time` is empty if the prompt names none."""
    rows = []
    for number in range(PROMPTS):
        name, color = CLASSES[number % len(CLASSES)], pick(generator, COLORS)
        place, time = pick(generator, PLACES), pick(generator, TIMES) if number % 2 else ""
        words = f"a photo of {article(color)} {color} {name} {pick(generator, PLACE_PHRASES[place])}"
        words += f" {pick(generator, TIME_PHRASES[time])}" if time else ""
        rows.append({"prompt": words, "class": name, "color": color, "place": place, "time": time})
    return rows


def measure(device: str) -> dict[str, object]:
    """Shares of pictures that show what the prompt names, overall and for each class."""
    folder, judge = MODELS / "stable_diffusion", load_judge()
    generator = np.random.default_rng(SEED)
    rows = prompts_of(generator)
    settings = {"seed": SEED, "steps": STEPS, "guidance_scale": GUIDANCE_SCALE, "device": device}
    shown = judge.answers(generate_from_noise(folder, [row["prompt"] for row in rows], **settings))
    metrics: dict[str, object] = {"prompts": PROMPTS, "steps": STEPS, "guidance_scale": GUIDANCE_SCALE}
    for question, answers in shown.items():
        right = [row[question] == answer for row, answer in zip(rows, answers, strict=True) if row[question]]
        metrics[question] = round(float(np.mean(right)), 3)
    for name in CLASSES:
        answers = [a for row, a in zip(rows, shown["class"], strict=True) if row["class"] == name]
        metrics[f"class_{name.replace(' ', '_')}"] = round(answers.count(name) / len(answers), 3)
    classless = [f"a photo of a the {pick(generator, PLACE_PHRASES[p])}" for p in PLACES] * (CLASSLESS_PROMPTS // 8)
    answers = judge.answers(generate_from_noise(folder, classless, **settings))["class"]
    metrics["most_shown_without_class"] = round(Counter(answers).most_common(1)[0][1] / len(answers), 3)
    return metrics


def parts_section() -> str:
    """The card's section on `demo/training/measure_parts.py`; empty if the program has not run."""
    path = metrics_path("parts")
    if not path.exists():
        return ""
    figures = json.loads(path.read_text("utf-8"))
    rms = figures["word_vector_rms"]
    noise = [
        f"| noise of {factor} RMS of a word's coordinates ({float(factor) * rms:.3f}) | "
        f"feature distance to the clean word's picture | {value:.3f} |"
        for name, value in figures.items()
        for factor in re.findall(r"^feature_distance_at_(.*)_rms$", name)
    ]
    return PARTS.format(**figures, noise="\n".join(noise))


def write_parts(folder: Path) -> None:
    """Replaces the section on `demo/training/measure_parts.py` in the existing card, then writes `SHA256SUMS`."""
    card = folder / "MODEL_CARD.md"
    before, _, rest = card.read_text("utf-8").partition(PARTS.strip().splitlines()[0])
    _, heading, after = rest.partition("## Training")
    card.write_text(f"{before.rstrip()}\n{parts_section()}\n{heading}{after}", "utf-8")
    write_checksums(folder)


def training_list() -> str:
    """One line for each training program, with its metrics."""
    lines = []
    for path in sorted(metrics_path(NAME).parent.glob("*.json")):
        if path.stem not in (NAME, "parts"):
            figures = json.loads(path.read_text("utf-8"))
            lines.append(f"- **{path.stem}**: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in figures.items()))
    return "\n".join(lines)


def write_card(folder: Path, metrics: dict[str, object]) -> None:
    """Writes `MODEL_CARD.md`, then `SHA256SUMS`."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    paths = [path for path in paths if path.name not in ("MODEL_CARD.md", "SHA256SUMS")]
    rows = [
        f"| {path.relative_to(folder).as_posix()} | {path.stat().st_size} |"
        f" {hashlib.sha256(path.read_bytes()).hexdigest()} |"
        for path in paths
    ]
    card = CARD.format(
        megabytes=sum(path.stat().st_size for path in paths) / 1e6,
        classes=len(CLASSES), colors=len(COLORS), places=len(PLACES), times=len(TIMES),
        steps=metrics["steps"], guidance=metrics["guidance_scale"], prompts=metrics["prompts"],
        right_class=metrics["class"], right_place=metrics["place"], right_color=metrics["color"],
        right_time=metrics["time"], most_shown=metrics["most_shown_without_class"],
        parts=parts_section(), training=training_list(), files="\n".join(rows), remark=REMARK,
    )  # fmt: skip
    (folder / "MODEL_CARD.md").write_text(card, "utf-8")
    write_checksums(folder)


def main() -> None:
    """Measures unless these weights have been measured, and writes card and checksums."""
    arguments = training_arguments(__doc__)
    weights = MODELS / "stable_diffusion" / "unet" / "diffusion_pytorch_model.safetensors"
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    path = metrics_path(NAME)
    metrics = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if metrics.get("unet_sha256") != sha256:
        torch.manual_seed(SEED)
        metrics = {"unet_sha256": sha256, **measure(arguments.device)}
        write_metrics(NAME, metrics)
    write_card(MODELS, metrics)


if __name__ == "__main__":
    main()

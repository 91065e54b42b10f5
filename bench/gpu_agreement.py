"""Step `agreement` of `gpu_check`: the demo's trained models on the device, compared with the CPU and with repeats."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.gpu_measure import Clock, Report, free_memory, switched
from bench.gpu_parts import (
    CLASSES,
    SMALL,
    WORLD_SEED,
    Backbone,
    Embedding,
    GenerateImagesSettings,
    Recipe,
    Setup,
    Trained,
    demo_backbone,
    demo_diffusion,
    demo_extractor,
    demo_model,
    embed,
    encoded_classes,
    image_features,
    learn_words,
    pixels,
    plain,
    plain_words,
    planned_rows,
    step_losses,
    train_head,
    word_vectors,
)
from demo.world.draw_dataset import draw_photos

STEP = "agreement"
CPU = torch.device("cpu")
EMBEDDING = Embedding(steps=20, batch=4, learning_rate=1.25e-3, dtype="float32")
LOSSES_WITHIN = 0.005  # relative to the loss
FLOAT32_LEVELS, FLOAT16_LEVELS, FLOAT16_MEAN = 2, 8, 0.3  # of 255 gray levels
FLOAT16_BEYOND = 0.005  # share of values that may differ by more than FLOAT16_LEVELS, at edges that move slightly
LEAST_COSINE = 0.9999
IMAGES_APART = 2  # test images that only one device classifies correctly
RECIPE = Recipe(
    epochs=4,
    iterations=20,
    batch=32,
    learning_rate=1e-2,
    weight_decay=0.0,
    augmentation="standard",
    image_size=SMALL,
    best="accuracy",
)


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Compare all results of the demo's models."""
    for part in (inversion, generation, features, heads):
        clock.require(5)
        part(setup, report)
        free_memory()


def inversion(setup: Setup, report: Report) -> None:
    """Compare the losses of ten steps with the initial words, and words that are learned, twice."""
    steps = 3 if setup.small else 10
    settings = EMBEDDING.model_copy(update={"steps": 2 * steps})
    results = []
    for device in (CPU, setup.device):
        diffusion = demo_diffusion(device)
        classes = encoded_classes(diffusion, len(CLASSES))
        start = word_vectors(diffusion, "the")[:1].expand(len(classes), 1, -1).to(device)
        losses = [step_losses(diffusion, classes, start, settings, step).cpu() for step in range(steps)]
        half = settings.model_copy(update={"dtype": "bfloat16"})
        rounded = [step_losses(diffusion, classes, start, half, step).cpu() for step in range(steps)]
        results.append((torch.stack(losses), torch.stack(rounded), learn_words(diffusion, classes, settings)))
    reference, ours = results
    again = learn_words(diffusion, classes, settings)
    report.check(STEP, "losses of steps, relative", relative(ours[0], reference[0]), LOSSES_WITHIN)
    learned, expected = (torch.tensor([word.loss for word in result[2]]) for result in (ours, reference))
    report.check(STEP, "losses of learned words, relative", relative(learned, expected), LOSSES_WITHIN)
    report.add(STEP, "losses in bfloat16, relative", relative(ours[1], reference[0]))
    diffusion = demo_diffusion(setup.device, "bfloat16")
    rounded = [step_losses(diffusion, classes, start, settings, step).cpu() for step in range(steps)]
    report.add(STEP, "losses with weights in bfloat16, relative", relative(torch.stack(rounded), reference[0]))
    vectors, others = (torch.stack([word.vectors for word in result[2]]) for result in (ours, reference))
    report.add(STEP, "learned vectors, largest difference", float((vectors - others).abs().max()))
    report.add(STEP, "learned vectors, largest value", float(others.abs().max()))
    differing = sum(not torch.equal(one.vectors, two.vectors) for one, two in zip(ours[2], again, strict=True))
    report.check(STEP, "words with other bytes when learned again", differing, 0)


def relative(values: Tensor, reference: Tensor) -> float:
    """Return the largest difference relative to the reference; NaN if a value is not finite."""
    return float(((values - reference) / reference).abs().max())


def generation(setup: Setup, report: Report) -> None:
    """Compare pixels with the CPU in float32 and half precision, with a repeat, and with other micro-batches."""
    rows = planned_rows(setup.folder / "guides", 16)
    settings = GenerateImagesSettings(
        strength=0.7, guidance_scale=4.0, inference_steps=6 if setup.small else 25, diffusion=demo_model()
    )
    diffusion = demo_diffusion(CPU)
    words = plain_words(diffusion)
    reference = pixels(diffusion, rows, words, settings, 16)
    kinds = ["float32"] if setup.small else ["float32", "float16", "bfloat16"]
    for dtype in kinds:
        diffusion = demo_diffusion(setup.device, dtype)
        ours = {size: pixels(diffusion, rows, words, settings, size) for size in (16, 8, 1)}
        largest, mean = levels(ours[16], reference)
        if dtype == "float32":
            report.check(STEP, "pixels in float32, largest difference", largest, FLOAT32_LEVELS)
        elif dtype == "float16":
            beyond = float((np.abs(ours[16].astype(np.int16) - reference) > FLOAT16_LEVELS).mean())
            report.check(STEP, f"pixels in float16, share beyond {FLOAT16_LEVELS} levels", beyond, FLOAT16_BEYOND)
            report.check(STEP, "pixels in float16, mean difference", mean, FLOAT16_MEAN)
        report.add(STEP, f"pixels in {dtype}, largest and mean difference", [largest, mean])
        again = pixels(diffusion, rows, words, settings, 16)
        report.check(STEP, f"images with other bytes when generated again, {dtype}", unequal(again, ours[16]), 0)
        for size in (8, 1):
            apart = levels(ours[size], ours[16])
            report.add(STEP, f"micro-batch {size} against 16 in {dtype}, largest and mean difference", apart)
    if setup.cuda:
        diffusion = demo_diffusion(setup.device)
        strong = settings.model_copy(update={"guidance_scale": 15.0, "inference_steps": 50})
        apart = levels(pixels(diffusion, rows, words, strong, 16), pixels(demo_diffusion(CPU), rows, words, strong, 16))
        report.add(STEP, "pixels in float32 at guidance 15 and 35 steps, largest and mean difference", apart)
        with switched(tf32=True):
            apart = levels(pixels(diffusion, rows, words, settings, 16), reference)
        report.add(STEP, "pixels in TF32, largest and mean difference", apart)


def levels(images: NDArray[np.uint8], reference: NDArray[np.uint8]) -> list[float]:
    """Return the largest and the mean difference in gray levels."""
    apart = np.abs(images.astype(np.int16) - reference)
    return [int(apart.max()), round(float(apart.mean()), 4)]


def unequal(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> int:
    """Return the number of images that differ."""
    return int((images != others).any(axis=(1, 2, 3)).sum())


def features(setup: Setup, report: Report) -> None:
    """Compare DINOv2's features of drawn photos, read from files as in `extract_features`."""
    folder = setup.folder / "photos"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, images in draw_photos(WORLD_SEED, list(CLASSES), "test", 2 if setup.small else 8).items():
        for number, image in enumerate(images):
            paths.append(folder / f"{name} {number}.png")
            image.save(paths[-1])
    results = []
    for device in (CPU, setup.device):
        extractor = demo_extractor(device)
        results.append(image_features(extractor, paths, size=SMALL, micro_batch=16, device=device))
    reference, ours = (torch.from_numpy(result).double() for result in results)
    cosines = torch.nn.functional.cosine_similarity(ours, reference)
    report.check(STEP, "features, least cosine", float(cosines.min()), LEAST_COSINE, at_least=True)
    report.add(STEP, "features, largest difference", float((ours - reference).abs().max()))


def heads(setup: Setup, report: Report) -> None:
    """Train heads on both devices; compare their classifications of test images, and the bytes of a repeat."""
    counts = {"train-val": 8, "val": 8, "test": 10 if setup.small else 40}
    drawn = {
        role: draw_photos(WORLD_SEED + (role == "val"), list(CLASSES), "test" if role == "val" else role, count)
        for role, count in counts.items()
    }
    images = {role: [_tensor(image) for found in named.values() for image in found] for role, named in drawn.items()}
    labels = {role: torch.arange(len(CLASSES)).repeat_interleave(count) for role, count in counts.items()}
    recipe = dataclasses.replace(RECIPE, epochs=1, iterations=4) if setup.small else RECIPE
    judged, trained = [], []
    for device in (CPU, setup.device):
        backbone = demo_backbone(device)
        trained.append(_train(backbone, images, labels, recipe, device))
        logits = trained[-1].head.logits(_plain(backbone, images["test"], device))
        judged.append(logits.argmax(1) == labels["test"])
    reference, ours = trained
    report.add(STEP, "accuracy on the CPU and on the device", [float(found.double().mean()) for found in judged])
    report.check(
        STEP,
        "test images judged right on one device alone",
        int((judged[1] != judged[0]).sum()),
        IMAGES_APART,
    )
    report.add(STEP, "head, largest difference", float((ours.head.weight - reference.head.weight).abs().max()))
    again = _train(backbone, images, labels, recipe, setup.device)
    report.check(
        STEP, "values of the head that differ when trained again", int((again.head.weight != ours.head.weight).sum()), 0
    )


def _tensor(image: object) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@torch.no_grad()
def _plain(backbone: Backbone, images: list[Tensor], device: torch.device) -> Tensor:
    return embed(backbone, images, lambda batch: plain(batch, SMALL), micro_batch=16, device=device)


def _train(
    backbone: Backbone, images: dict[str, list[Tensor]], labels: dict[str, Tensor], recipe: Recipe, device: torch.device
) -> Trained:
    count = len(images["train-val"])
    return train_head(
        backbone,
        images["train-val"],
        labels["train-val"],
        np.full(count, 1 / count),
        CLASSES,
        (lambda: _plain(backbone, images["val"], device), labels["val"]),
        recipe,
        seed_parts=("gpu_check", 0, 8, "downstream"),
        micro_batch=16,
        device=device,
    )

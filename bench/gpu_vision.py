"""Step `vision` of `gpu_check`: rates of feature extraction and head training with full-size models."""

import copy

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from bench.gpu_measure import Clock, Report, free_memory, median_seconds, peak_gb, reset_peak, switched, wall_seconds
from bench.gpu_parts import (
    Recipe,
    Setup,
    embed,
    image_features,
    large_backbone,
    large_extractor,
    plain,
    train_head,
)

STEP = "vision"
LEAST_COSINE = 0.99999
CLASSES = ("a", "b", "c", "d")


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure the extractor and the backbone by themselves, then the library's loops around them."""
    edges = (64, 64) if setup.small else (224, 256)
    size = 16 if setup.small else 128
    generator = torch.Generator().manual_seed(3)
    models = {"ViT-L/14": large_extractor(setup), "ResNet-50": large_backbone(setup)}
    for (name, model), edge in zip(models.items(), edges, strict=True):
        clock.require(4)
        images = torch.randn(size, 3, edge, edge, generator=generator)
        for layout in (torch.channels_last, torch.contiguous_format):
            variant = copy.deepcopy(model).to(memory_format=layout)
            shape = "channels_last" if layout == torch.channels_last else "contiguous"
            for tf32 in (False, True) if setup.cuda else (False,):
                with switched(tf32=tf32):
                    entry = f"{name}, {'TF32' if tf32 else 'float32'}, {shape}, batch {size}: images/s"
                    report.add(STEP, entry, rate(setup, variant, images.to(memory_format=layout)))
        reset_peak(setup.device)
        entry = f"{name}, library's embed, micro-batch {size}"
        report.add(STEP, entry, {"images_per_s": embedded(setup, model, images), **peak_gb(setup.device)})
        together = embed(model, list(images[:4]), torch.stack, micro_batch=4, device=setup.device)
        alone = embed(model, list(images[:4]), torch.stack, micro_batch=1, device=setup.device)
        cosine = functional.cosine_similarity(together.double(), alone.double()).min()
        report.check(STEP, f"{name}: micro-batch 4 against 1, least cosine", float(cosine), LEAST_COSINE, at_least=True)
    clock.require(8)
    files(setup, report, models["ViT-L/14"], edges[0])
    heads(setup, report, clock, models["ResNet-50"], edges[1])
    free_memory()


def rate(setup: Setup, model: nn.Module, images: Tensor) -> float:
    """Measure images per second of the model, with the images on the device."""
    images = images.to(setup.device)
    with torch.no_grad():
        seconds = median_seconds(lambda: model(images), setup.device, repeats=2 if setup.small else 5)
    return round(len(images) / seconds, 1)


def embedded(setup: Setup, model: nn.Module, images: Tensor) -> float:
    """Measure images per second of the library's loop, without preprocessing."""
    count = len(images)

    def loop(batches: int) -> None:
        embed(model, range(batches * count), lambda _: images, micro_batch=count, device=setup.device)

    loop(1)
    return round(4 * count / wall_seconds(lambda: loop(4), setup.device), 1)


def files(setup: Setup, report: Report, extractor: nn.Module, edge: int) -> None:
    """Measure feature extraction from image files of 512 pixels, as in `extract_features`."""
    folder = setup.folder / "files"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(16 if setup.small else 256)]
    generator = np.random.default_rng(1)
    for path in paths:
        coarse = Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        coarse.resize((512, 512), Image.Resampling.BICUBIC).save(path, compress_level=1)
    for threads in sorted({2, setup.threads}, reverse=True):
        torch.set_num_threads(threads)

        def work() -> None:
            image_features(extractor, paths, size=edge, micro_batch=min(64, len(paths)), device=setup.device)

        seconds = wall_seconds(work, setup.device)
        report.add(STEP, f"features of PNG files, {threads} threads: images/s", round(len(paths) / seconds, 1))
    torch.set_num_threads(setup.threads)


def heads(setup: Setup, report: Report, clock: Clock, backbone: nn.Module, edge: int) -> None:
    """Measure the training of a head on photos of 512 pixels, and its augmentation without a backbone."""
    generator = torch.Generator().manual_seed(4)
    images = [torch.randint(0, 256, (3, 512, 512), dtype=torch.uint8, generator=generator) for _ in range(64)]
    labels = torch.arange(len(CLASSES)).repeat_interleave(len(images) // len(CLASSES))
    validation = torch.cat([plain(images[:8], edge)])
    iterations = 2 if setup.small else 50

    def train(model: nn.Module, augmentation: str, micro_batch: int) -> None:
        recipe = Recipe(
            epochs=1,
            iterations=iterations,
            batch=32,
            learning_rate=1e-4,
            weight_decay=0.0,
            augmentation=augmentation,
            image_size=edge,
            best="accuracy",
        )
        train_head(
            model,
            images,
            labels,
            np.full(len(images), 1 / len(images)),
            CLASSES,
            (lambda: embed(model, range(8), lambda _: validation, micro_batch=8, device=setup.device), labels[::8]),
            recipe,
            seed_parts=("gpu_check", augmentation),
            micro_batch=micro_batch,
            device=setup.device,
        )

    for threads in sorted({2, setup.threads}, reverse=True):
        torch.set_num_threads(threads)
        for name, model, augmentation, size in (
            ("standard", backbone, "standard", 16),
            ("standard", backbone, "standard", 64),
            ("randaugment", backbone, "randaugment", 64),
            ("standard without a backbone", Means(), "standard", 64),
            ("randaugment without a backbone", Means(), "randaugment", 64),
        ):
            clock.require(8)
            seconds = wall_seconds(lambda m=model, a=augmentation, s=size: train(m, a, s), setup.device)
            entry = f"head, {name}, micro-batch {size}, {threads} threads: images/s"
            report.add(STEP, entry, round(32 * iterations / seconds, 1))
    torch.set_num_threads(setup.threads)


class Means(nn.Module):
    """A backbone with negligible cost: the mean of each channel."""

    def forward(self, images: Tensor) -> Tensor:
        """Compute features `[B, 3]`."""
        return images.mean((2, 3))

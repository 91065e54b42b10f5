"""Weights of synthetic images: five augmented views of all images in batches, beside one image at a time."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForImageClassification

from bench.side_by_side.material import BACKBONE, CPU, MICRO_BATCH, SIDE, Workplace, photos
from bench.side_by_side.measure import Stage
from bench.side_by_side.plain_views import DRAWS, augmented_view, read
from diagen.classifiers.heads import Head, new_head
from diagen.config.programs import ScoreImagesSettings
from diagen.generation.manifest_file import ManifestRow
from diagen.guide_classifiers.scoring import score_images
from diagen.models.backbones import load_backbone
from diagen.seeds import stable_seed

VIEWS = 5
TEMPERATURE = 0.1  # of an untrained layer, whose confidences would else all be near 1 / classes


def plain_classifier(head: Head) -> torch.nn.Module:
    """The backbone as transformers loads it, with `head` as its last layer."""
    model = AutoModelForImageClassification.from_pretrained(BACKBONE.location, dtype=torch.float32).eval()
    layer = torch.nn.Linear(head.weight.shape[1], len(head.classes))
    layer.load_state_dict({"weight": head.weight.detach(), "bias": head.bias.detach()})
    model.classifier[-1] = layer
    return model.requires_grad_(False)


@torch.no_grad()
def one_by_one(
    model: torch.nn.Module, head: Head, rows: Sequence[ManifestRow], store: Path
) -> tuple[list[float], list[float]]:
    """Confidence and weight of each image, each view in a pass of its own."""
    confidences = []
    for row in rows:
        image, label, total = read(store / row.file_name), head.classes.index(row.class_name), 0.0
        for view in range(VIEWS):
            generator = torch.Generator().manual_seed(stable_seed(row.image_seed, "view", view))
            pixels = augmented_view(image, torch.rand(DRAWS, generator=generator), SIDE)
            total += float((model(pixels[None]).logits[0] / TEMPERATURE).softmax(0)[label])
        confidences.append(total / VIEWS)
    sums: dict[tuple[str, int], float] = {}
    for row, confidence in zip(rows, confidences, strict=True):
        sums[row.class_name, row.guide] = sums.get((row.class_name, row.guide), 0.0) + confidence
    return confidences, [c / sums[row.class_name, row.guide] for row, c in zip(rows, confidences, strict=True)]


def manifest(store: Path, classes: int, guides: int, per_guide: int, side: int) -> list[ManifestRow]:
    """Drawn images in `store` in the place of synthetic ones, and their manifest."""
    rows = []
    for number, photo in enumerate(photos(store, classes, guides * per_guide, split="test", side=side)):
        guide, nth = divmod(number % (guides * per_guide), per_guide)
        name = str(photo.path.relative_to(store))
        rows.append(ManifestRow(name, photo.class_name, guide, nth, "", 0.0, 0, 1000 + number, photo.sha256, 1))
    return rows


def stage(place: Workplace) -> Stage:
    """Images of 512 pixels, as Stable Diffusion makes them, at the 64 pixels of the demo's backbone."""
    store = place.new_folder()
    rows = manifest(store, place.size(6, 2), place.size(2, 1), place.size(6, 3), 512)
    backbone = load_backbone(BACKBONE, CPU)
    with torch.no_grad():
        width = backbone(torch.zeros(1, 3, SIDE, SIDE)).shape[1]
    head = new_head(sorted({row.class_name for row in rows}), width, seed=0)
    model = plain_classifier(head)
    settings = ScoreImagesSettings(
        views=VIEWS, transform="confidence", normalize="guide_image", backbone=BACKBONE, image_size=SIDE
    )

    @torch.no_grad()
    def ours() -> tuple[list[float], list[float]]:
        found = score_images(
            backbone,
            head,
            TEMPERATURE,
            rows,
            settings,
            manifest=store / "manifest.csv",
            store=store,
            micro_batch=MICRO_BATCH,
            device=CPU,
        )
        return [row.confidence for row in found], [row.weight for row in found]

    @torch.no_grad()
    def floor() -> None:
        images = torch.zeros(MICRO_BATCH, 3, SIDE, SIDE)
        for _ in range(0, VIEWS * len(rows), MICRO_BATCH):
            backbone(images)

    return Stage(
        name="weights",
        work=f"{VIEWS} views of {len(rows)} images",
        plain=lambda: one_by_one(model, head, rows, store),
        ours=ours,
        floor=floor,
        difference=lambda one, other: float((torch.tensor(one) - torch.tensor(other)).abs().max()),
        tolerance=0.02,
        unit="of a confidence or weight",
    )

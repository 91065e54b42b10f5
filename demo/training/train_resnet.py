"""Trains a small ResNet on drawn objects of classes outside the demo, as ImageNet is for the paper's photos."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ResNetModel

from demo.training.architectures import MODELS, resnet_model, write_resnet
from demo.training.loop import metrics_path, train, training_arguments, write_metrics
from demo.training.other_objects import OTHER_NAMES, draw_other_object
from demo.training.softness import soften
from demo.world.scenes import CLASSES, COMMON_PLACES, SIDE, UNCOMMON_PLACES, draw, sample_scene

NAME = "resnet"
SEED = 6_000_000
STEPS = 2600
BATCH = 64
EMBEDDING, HIDDEN, DEPTHS = 32, (32, 64, 128, 256), (1, 1, 1, 1)
# The measurement: a linear head trained on few pictures of some of the demo's classes, like a downstream classifier.
PROBE_CLASSES, PROBE_SHOTS, PROBE_TRIALS, PROBE_IMAGES = 6, 4, 12, 20


def objects_and_images(seed: list[int], count: int) -> tuple[Tensor, Tensor]:
    """Numbers `[B]` of drawn objects and their pictures `[B, 3, H, W]` in 0..1."""
    generator = np.random.default_rng(seed)
    pairs = [draw_other_object(generator) for _ in range(count)]
    pixels = np.stack([np.asarray(picture) for _, picture in pairs])
    return torch.tensor([number for number, _ in pairs]), torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


def normalize(images: Tensor) -> Tensor:
    """Normalizes images in 0..1 with mean 0.5 and deviation 0.5."""
    return (images - 0.5) / 0.5


@torch.no_grad()
def features_of(model: nn.Module, images: Tensor) -> Tensor:
    """Pooled features `[N, D]` on the CPU."""
    device = next(model.parameters()).device
    parts = [model(normalize(part.to(device))).pooler_output.flatten(1).cpu() for part in images.split(256)]
    return torch.cat(parts)


def probe_images(
    generator: np.random.Generator, names: list[str], places: dict[str, tuple[str, ...]], count: int
) -> tuple[Tensor, Tensor]:
    """`count` pictures of each class in the given places, and their class numbers."""
    scenes = [
        sample_scene(generator, class_name=name, place=places[name][generator.integers(len(places[name]))])
        for name in names
        for _ in range(count)
    ]
    pixels = np.stack([np.asarray(draw(scene)) for scene in scenes])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, torch.arange(len(names)).repeat_interleave(count)


def linear_head(features: Tensor, labels: Tensor, classes: int) -> nn.Linear:
    """A linear layer fitted to features `[N, D]` by 400 steps of Adam."""
    head = nn.Linear(features.shape[1], classes)
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    for _ in range(400):
        optimizer.zero_grad()
        functional.cross_entropy(head(features), labels).backward()
        optimizer.step()
    return head


def measure(model: nn.Module, backbone: ResNetModel) -> dict[str, object]:
    """Accuracy on unseen pictures of the pretraining classes, and of few-shot heads on the demo's classes.

    The shots show two of a class's common places, the tests all its common or all its uncommon ones.
    """
    device = next(model.parameters()).device
    labels, images = objects_and_images([SEED, STEPS], 1000)
    with torch.no_grad():
        guesses = torch.cat([model(normalize(p.to(device))).logits.argmax(1).cpu() for p in images.split(250)])
    totals = {"common": 0.0, "uncommon": 0.0}
    few_places = {name: places[:2] for name, places in COMMON_PLACES.items()}
    for trial in range(PROBE_TRIALS):
        generator = np.random.default_rng([SEED, STEPS + 1, trial])
        names = [str(name) for name in generator.choice(CLASSES, PROBE_CLASSES, replace=False)]
        shots, shot_labels = probe_images(generator, names, few_places, PROBE_SHOTS)
        head = linear_head(features_of(backbone, shots), shot_labels, PROBE_CLASSES)
        for kind, places in (("common", COMMON_PLACES), ("uncommon", UNCOMMON_PLACES)):
            tests, test_labels = probe_images(generator, names, places, PROBE_IMAGES)
            right = head(features_of(backbone, tests)).argmax(1) == test_labels
            totals[kind] += right.float().mean().item() / PROBE_TRIALS
    return {
        "accuracy_other_objects": round((guesses == labels).float().mean().item(), 3),
        **{f"few_shot_{kind}": round(total, 3) for kind, total in totals.items()},
    }


def main() -> None:
    """Trains, writes `demo/models/resnet` and measures it."""
    arguments = training_arguments(__doc__)
    folder = MODELS / "resnet"
    if metrics_path(NAME).exists() and (folder / "model.safetensors").exists():
        print(f"{NAME}: complete")
        return
    torch.manual_seed(SEED)
    model = resnet_model(EMBEDDING, HIDDEN, DEPTHS, OTHER_NAMES).to(arguments.device)

    def loss_of_step(step: int) -> Tensor:
        labels, images = objects_and_images([SEED, step], BATCH)
        images = soften(images.to(arguments.device), torch.Generator().manual_seed(SEED + step))
        return functional.cross_entropy(model(normalize(images)).logits, labels.to(arguments.device))

    train(NAME, model, loss_of_step, steps=STEPS, learning_rate=2e-3, weight_decay=0.02)
    write_resnet(folder, model, SIDE)
    shipped = type(model).from_pretrained(folder, dtype=torch.float32).eval().to(arguments.device)
    parameters = sum(parameter.numel() for parameter in shipped.parameters())
    write_metrics(NAME, {"parameters": parameters, "steps": STEPS, "seed": SEED, **measure(shipped, shipped.resnet)})


if __name__ == "__main__":
    main()

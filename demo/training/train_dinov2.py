"""Trains a small DINOv2: a vision transformer whose class token distinguishes classes, places, colors and poses."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.training.architectures import MODELS, dinov2_source, write_dinov2
from demo.training.loop import metrics_path, train, training_arguments, write_metrics
from demo.training.softness import soften
from demo.world.scenes import CLASSES, COLORS, PLACES, SIDE, TIMES, Scene, draw, sample_scene

NAME = "dinov2"
SEED = 5_000_000
STEPS = 900
BATCH = 64
SHAPE = {"image_size": SIDE, "width": 128, "depth": 4, "heads": 4}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Name, number of answers and weight of each question about a scene; class, place and color count most.
QUESTIONS = (("class", 12, 1.0), ("place", 8, 1.0), ("color", 8, 1.0), ("time", 3, 0.5), ("variant", 3, 0.3))
POSE = 4
POSE_WEIGHT = 0.5
DECORRELATION_WEIGHT = 0.04


def scenes_and_images(seed: list[int], count: int) -> tuple[list[Scene], Tensor]:
    """Scenes of the known classes and their pictures `[B, 3, H, W]` in 0..1."""
    generator = np.random.default_rng(seed)
    scenes = [sample_scene(generator) for _ in range(count)]
    pixels = np.stack([np.asarray(draw(scene)) for scene in scenes])
    return scenes, torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


def answers(scenes: list[Scene]) -> Tensor:
    """Numbers `[B, 5]` of class, place, color, time and variant."""
    rows = [
        (CLASSES.index(s.class_name), PLACES.index(s.place), COLORS.index(s.color), TIMES.index(s.time), s.variant)
        for s in scenes
    ]
    return torch.tensor(rows)


def poses(scenes: list[Scene]) -> Tensor:
    """Size, position and angle `[B, 4]`, each scaled to a deviation of about 1."""
    rows = [((s.size - 0.61) / 0.09, (s.x - 0.5) / 0.12, (s.y - 0.55) / 0.1, s.angle / 8) for s in scenes]
    return torch.tensor(rows, dtype=torch.float32)


def normalize(images: Tensor) -> Tensor:
    """Normalizes images in 0..1 with ImageNet's mean and standard deviation."""
    shape = (1, 3, 1, 1)
    return (images - images.new_tensor(MEAN).view(shape)) / images.new_tensor(DEVIATION).view(shape)


def decorrelation(features: Tensor) -> Tensor:
    """Zero if every feature of `[B, D]` has deviation 1 and no two are correlated (VICReg, Bardes 2022)."""
    centered = features - features.mean(0)
    covariance = centered.T @ centered / (len(features) - 1)
    deviation = (covariance.diagonal() + 1e-4).sqrt()
    off_diagonal = covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()
    return functional.relu(1 - deviation).mean() * 5 + off_diagonal / features.shape[1]


class DinoWithHeads(nn.Module):
    """The transformer with the linear heads of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = dinov2_source().DinoVisionTransformer(**SHAPE)
        self.heads = nn.Linear(SHAPE["width"], sum(count for _, count, _ in QUESTIONS) + POSE)

    def loss(self, images: Tensor, truth: Tensor, pose: Tensor) -> Tensor:
        """Cross-entropies of the questions, the pose's squared error, and the correlation of the features."""
        features = self.backbone(normalize(images))
        *logits, guess = self.heads(features).split([*(count for _, count, _ in QUESTIONS), POSE], dim=1)
        total = POSE_WEIGHT * functional.mse_loss(guess, pose) + DECORRELATION_WEIGHT * decorrelation(features)
        for column, (_, _, weight) in enumerate(QUESTIONS):
            total = total + weight * functional.cross_entropy(logits[column], truth[:, column], label_smoothing=0.05)
        return total


@torch.no_grad()
def features_of(model: nn.Module, images: Tensor) -> Tensor:
    """Class tokens `[N, D]` on the CPU, computed in batches."""
    device = next(model.parameters()).device
    return torch.cat([model(normalize(part.to(device))).cpu() for part in images.split(256)])


def measure(model: nn.Module) -> dict[str, object]:
    """Accuracy of 5-nearest-neighbor class, place and color of 1000 scenes among 3000 others, plain and softened."""
    known, gallery = scenes_and_images([SEED, STEPS], 3000)
    unseen, queries = scenes_and_images([SEED, STEPS + 1], 1000)
    truth, labels = answers(unseen), answers(known)
    references = features_of(model, gallery)
    softened = soften(queries, torch.Generator().manual_seed(SEED))
    metrics: dict[str, object] = {}
    for condition, images in (("", queries), ("_softened", softened)):
        nearest = torch.cdist(features_of(model, images), references).topk(5, largest=False).indices
        for column, (question, _, _) in enumerate(QUESTIONS[:3]):
            votes = labels[nearest, column].mode(1).values
            metrics[f"knn_{question}{condition}"] = round((votes == truth[:, column]).float().mean().item(), 3)
    return metrics


def main() -> None:
    """Trains, writes `demo/models/dinov2` and measures its features."""
    arguments = training_arguments(__doc__)
    folder = MODELS / "dinov2"
    if metrics_path(NAME).exists() and (folder / "dinov2_demo.safetensors").exists():
        print(f"{NAME}: complete")
        return
    torch.manual_seed(SEED)
    trained = DinoWithHeads().to(arguments.device)

    def loss_of_step(step: int) -> Tensor:
        scenes, images = scenes_and_images([SEED, step], BATCH)
        images = soften(images.to(arguments.device), torch.Generator().manual_seed(SEED + step))
        return trained.loss(images, answers(scenes).to(arguments.device), poses(scenes).to(arguments.device))

    train(NAME, trained, loss_of_step, steps=STEPS, learning_rate=1.5e-3, weight_decay=0.05)
    write_dinov2(folder, SHAPE, trained.backbone.state_dict())
    shipped = torch.hub.load(str(folder), "dinov2_demo", source="local").to(arguments.device)
    parameters = sum(parameter.numel() for parameter in shipped.parameters())
    write_metrics(NAME, {"parameters": parameters, "steps": STEPS, "seed": SEED, **measure(shipped)})


if __name__ == "__main__":
    main()

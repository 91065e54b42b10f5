"""Trains the judge of generated pictures on separate scenes, both sharp and softened like generated pictures."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from demo.training.architectures import MODELS
from demo.training.judge import QUESTIONS, Judge, load_judge, write_judge
from demo.training.loop import metrics_path, train, training_arguments, write_metrics
from demo.training.softness import soften
from demo.world.scenes import Scene, draw, sample_scene

NAME = "judge"
SEED = 7_000_000
STEPS = 800
BATCH = 64


def drawn_scenes(seed: list[int], count: int) -> tuple[list[Scene], Tensor]:
    """Random scenes and their pictures, float32 [count, 3, 64, 64] in 0..1."""
    generator = np.random.default_rng(seed)
    scenes = [sample_scene(generator) for _ in range(count)]
    pixels = np.stack([np.asarray(draw(scene)) for scene in scenes])
    return scenes, torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255


def truth(scenes: list[Scene]) -> dict[str, list[str]]:
    """The right answer to each question for each scene."""
    return {
        "class": [scene.class_name for scene in scenes],
        "color": [scene.color for scene in scenes],
        "place": [scene.place for scene in scenes],
        "time": [scene.time for scene in scenes],
    }


def measure(judge: Judge, device: str) -> dict[str, object]:
    """The share of right answers on 2000 unseen scenes, as drawn and softened."""
    scenes, images = drawn_scenes([SEED, STEPS], 2000)
    softened = soften(images, torch.Generator().manual_seed(SEED))
    metrics: dict[str, object] = {}
    for condition, shown in (("", images), ("_softened", softened)):
        given = judge.answers(shown.to(device))
        for question, right in truth(scenes).items():
            share = np.mean([a == b for a, b in zip(given[question], right, strict=True)])
            metrics[f"{question}{condition}"] = round(float(share), 4)
    return metrics


def main() -> None:
    """Trains, writes `demo/models/judge` and measures it on unseen scenes."""
    arguments = training_arguments(__doc__)
    folder = MODELS / "judge"
    if metrics_path(NAME).exists() and (folder / "model.safetensors").exists():
        print(f"{NAME}: complete")
        return
    torch.manual_seed(SEED)
    judge = Judge().to(arguments.device)

    def loss_of_step(step: int) -> Tensor:
        scenes, images = drawn_scenes([SEED, step], BATCH)
        torch.manual_seed(SEED + step)
        images = soften(images.to(arguments.device), torch.Generator().manual_seed(SEED + step))
        logits = judge(images)
        loss = torch.zeros((), device=images.device)
        for question, right in truth(scenes).items():
            numbers = torch.tensor([QUESTIONS[question].index(word) for word in right], device=images.device)
            loss = loss + functional.cross_entropy(logits[question], numbers)
        return loss

    train(NAME, judge, loss_of_step, steps=STEPS, learning_rate=3e-3, weight_decay=0.02)
    write_judge(folder, judge)
    shipped = load_judge(folder).to(arguments.device)
    parameters = sum(parameter.numel() for parameter in shipped.parameters())
    write_metrics(
        NAME,
        {"parameters": parameters, "steps": STEPS, "batch": BATCH, "seed": SEED, **measure(shipped, arguments.device)},
    )


if __name__ == "__main__":
    main()

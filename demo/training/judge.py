"""The judge: a small network that recognizes what a picture of the world shows. Nothing else is trained with it."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from demo.training.architectures import MODELS, save_half, write_json
from demo.world.scenes import CLASSES, COLORS, PLACES, TIMES

QUESTIONS: dict[str, tuple[str, ...]] = {"class": CLASSES, "color": COLORS, "place": PLACES, "time": TIMES}
CHANNELS = (32, 64, 128, 192)


class Judge(nn.Module):
    """A convolutional network with one linear head for each question about a scene."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for number, width in enumerate(channels):
            stride = 1 if number == 0 else 2
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            if number == 0:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({name: nn.Linear(4 * before, len(words)) for name, words in QUESTIONS.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits of each question, [B, answers], for images float32 [B, 3, 64, 64] in 0..1."""
        features = self.body(images * 2 - 1)
        return {name: head(features) for name, head in self.heads.items()}

    @torch.no_grad()
    def answers(self, images: Tensor) -> dict[str, list[str]]:
        """The answer to each question for each image; images are float32 [B, 3, 64, 64] in 0..1."""
        parts = [self(part) for part in images.split(128)]
        return {
            name: [words[i] for part in parts for i in part[name].argmax(1).tolist()]
            for name, words in QUESTIONS.items()
        }


def write_judge(folder: Path, judge: Judge) -> None:
    """Writes the judge's weights in float16, and its questions and answers."""
    folder.mkdir(parents=True, exist_ok=True)
    save_half(judge.state_dict(), folder / "model.safetensors")
    write_json(folder / "config.json", {"channels": CHANNELS, "questions": QUESTIONS})


def load_judge(folder: Path = MODELS / "judge") -> Judge:
    """Loads the trained judge, in float32 on the CPU."""
    judge = Judge(tuple(json.loads((folder / "config.json").read_text("utf-8"))["channels"]))
    judge.load_state_dict(
        {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in load_file(folder / "model.safetensors").items()
        }
    )
    return judge.eval()

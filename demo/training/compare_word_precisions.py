"""Compares words that are learned in float32 and in bfloat16: losses, directions, and what their images show.

Learns the words of the demo's classes in several cells on the CPU, generates images from noise and from guide images
(img2img) with the words of each precision, from the same random numbers, and asks the judge which class they show.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor
from torch.nn import functional

from demo.training.architectures import MODELS
from demo.training.judge import Judge, load_judge
from demo.training.measure_parts import from_noise
from demo.world.draw_dataset import draw_photos
from diagen.cells import Cell
from diagen.config import DiffusionModel, Embedding
from diagen.config.programs import GenerateImagesSettings
from diagen.embeddings.inversion import encode_classes, learn_words
from diagen.embeddings.words_file import LearnedWord
from diagen.generation.img2img import Posterior, Word, generate_batch
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import Diffusion, encode_posteriors, image_to_tensor, load_diffusion, word_vectors
from diagen.models.pseudo_words import class_words, pseudo_word
from diagen.seeds import stable_seed

SHOTS = 4
MODEL = DiffusionModel(path=str(MODELS / "stable_diffusion"), image_size=64)
IMG2IMG = GenerateImagesSettings(strength=0.7, guidance_scale=4.0, inference_steps=25, diffusion=MODEL)


def learn(
    diffusion: Diffusion, photos: dict[str, list[Image.Image]], seed: int, settings: Embedding
) -> list[LearnedWord]:
    """Learns the words of a cell."""
    cell = Cell("world", seed, SHOTS)
    encoded = encode_classes(diffusion, dict(sorted(photos.items())), cell, crop="squash", micro_batch=SHOTS)
    return learn_words(diffusion, encoded, settings)


def from_guides(
    diffusion: Diffusion, vectors: Tensor, name: str, photos: list[Image.Image], seeds: list[int]
) -> Tensor:
    """Generates an image with img2img for each seed, the guide images in turn: float32 [n, 3, 64, 64] in 0..1."""
    tensors = [image_to_tensor(photo, MODEL.image_size, Image.Resampling.BILINEAR) for photo in photos]
    pairs = zip(*encode_posteriors(diffusion, tensors, [name] * len(tensors), len(tensors)), strict=True)
    posteriors = [Posterior(mean, deviation, photos[0].size) for mean, deviation in pairs]
    token = pseudo_word(name)
    rows = [
        PlanRow(name, number % SHOTS, "", "", number, f"a photo of a {token}", 0.0, 0, seed)
        for number, seed in enumerate(seeds)
    ]
    drawn = generate_batch(
        diffusion, rows, [posteriors[row.guide] for row in rows], [Word(token, vectors)] * len(rows), IMG2IMG
    )
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 255


def shown(
    diffusion: Diffusion, judge: Judge, words: list[LearnedWord], photos: dict[str, list[Image.Image]], images: int
) -> dict[str, list[bool]]:
    """Returns for each image from noise and of img2img whether it shows the word's class, in a fixed order."""
    verdicts: dict[str, list[bool]] = {"noise": [], "img2img": []}
    for word in words:
        name = word.class_name
        seeds = [stable_seed("word precisions", name, number) for number in range(images)]
        vectors = word.vectors.expand(images, -1, -1)
        drawn = {
            "noise": from_noise(diffusion, [pseudo_word(name)] * images, vectors, seeds),
            "img2img": from_guides(diffusion, word.vectors, name, photos[name], seeds),
        }
        for source, pictures in drawn.items():
            verdicts[source] += [answer == class_words(name) for answer in judge.answers(pictures)["class"]]
    return verdicts


def compare(single: list[LearnedWord], half: list[LearnedWord], start: Tensor) -> dict[str, list[float]]:
    """Returns for each word the relative difference of its tail losses, and cosines of its vectors and of their moves.

    `start` [width] is the vector from which all words start.
    """
    pairs = list(zip(single, half, strict=True))
    vectors = [(one.vectors[0], other.vectors[0]) for one, other in pairs]
    return {
        "loss": [abs(other.loss - one.loss) / one.loss for one, other in pairs],
        "cosine": [float(functional.cosine_similarity(one, other, dim=0)) for one, other in vectors],
        "cosine_of_moves": [
            float(functional.cosine_similarity(one - start, other - start, dim=0)) for one, other in vectors
        ],
    }


def summary(compared: dict[str, list[float]], verdicts: dict[str, dict[str, list[bool]]]) -> dict[str, float]:
    """Returns means and extremes over all words, and per precision and source the share of images of their class."""
    figures = {
        "words": len(compared["loss"]),
        "loss_difference_mean": float(np.mean(compared["loss"])),
        "loss_difference_largest": max(compared["loss"]),
        "cosine_least": min(compared["cosine"]),
        "cosine_of_moves_least": min(compared["cosine_of_moves"]),
        "cosine_of_moves_mean": float(np.mean(compared["cosine_of_moves"])),
    }
    for source in ("noise", "img2img"):
        single, half = (np.array(verdicts[dtype][source]) for dtype in ("float32", "bfloat16"))
        figures |= {
            f"{source}_images": len(single),
            f"{source}_float32": float(single.mean()),
            f"{source}_bfloat16": float(half.mean()),
            f"{source}_only_float32": int((single & ~half).sum()),
            f"{source}_only_bfloat16": int((half & ~single).sum()),
        }
    return figures


def main() -> None:
    """Measures, and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=3, help="cells with other guide images (default: %(default)s)")
    parser.add_argument("--images", type=int, default=40, help="images per word and source (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = yaml.safe_load(Path("config/demo.yaml").read_text("utf-8"))
    classes = config["datasets"]["world"]["classes"]
    settings = Embedding(**config["embeddings"]["paper"])
    diffusion, judge = load_diffusion(MODEL, torch.device("cpu")), load_judge()
    (start,) = word_vectors(diffusion, settings.initializer)
    compared: dict[str, list[float]] = {}
    verdicts: dict[str, dict[str, list[bool]]] = {}
    for seed in range(100, 100 + arguments.cells):
        drawn = draw_photos(seed, [class_words(name) for name in classes], "train-val", SHOTS)
        photos = {name: drawn[class_words(name)] for name in classes}
        words = {}
        for dtype in ("float32", "bfloat16"):
            words[dtype] = learn(diffusion, photos, seed, settings.model_copy(update={"dtype": dtype}))
            for source, found in shown(diffusion, judge, words[dtype], photos, arguments.images).items():
                verdicts.setdefault(dtype, {}).setdefault(source, []).extend(found)
        for name, values in compare(words["float32"], words["bfloat16"], start).items():
            compared.setdefault(name, []).extend(values)
        print(json.dumps(summary(compared, verdicts), indent=1), flush=True)


if __name__ == "__main__":
    main()

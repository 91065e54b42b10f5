"""Measures the effect of each part of DIAGen on a finished run of the demo: learned word, noise and confidence.

Compares the judge's answers with the intended classes, and writes the figures into the model card.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.stats import rankdata
from torch import Tensor
from torch.nn import functional

from demo.training.architectures import MODELS
from demo.training.judge import load_judge
from demo.training.loop import write_metrics
from demo.training.measure_models import write_parts
from demo.training.text_to_image import caption_words
from diagen.config import DiffusionModel, FeatureModel
from diagen.embeddings.words_file import read_words
from diagen.generation.img2img import noisy_word
from diagen.generation.manifest_file import read_manifest
from diagen.models.backbones import load_feature_extractor
from diagen.models.diffusion import Diffusion, encode_prompts, load_diffusion, tokenize, word_vectors
from diagen.models.pseudo_words import class_words, pseudo_word
from diagen.weighting.weights_file import read_weights

STEPS = 25
GUIDANCE_SCALE = 4.0
IMAGES_PER_WORD = 40
NOISE_FACTORS = (0.36, 0.71, 1.79)  # the paper's levels over the RMS of CLIP's word vectors
SEED = 9_500_000


@torch.no_grad()
def from_noise(diffusion: Diffusion, words: list[str], vectors: Tensor, seeds: list[int]) -> Tensor:
    """Generates pictures of `a photo of a <word>` from noise, float32 [n, 3, 64, 64] in 0..1.

    `vectors` [n, k, width] are the words' vectors, and picture i starts from the noise of seed i.
    """
    prompts = [f"a photo of a {word}" for word in words]
    states = [
        encode_prompts(diffusion, tokenize(diffusion.tokenizer, texts, words, vectors.shape[1]), vectors)
        for texts in ([""] * len(words), prompts)
    ]
    side = diffusion.unet.config.sample_size
    noises = [torch.randn(4, side, side, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    latents = torch.stack(noises)
    diffusion.scheduler.set_timesteps(STEPS)
    for timestep in diffusion.scheduler.timesteps:
        both = diffusion.unet(torch.cat([latents] * 2), timestep, encoder_hidden_states=torch.cat(states)).sample
        unguided, guided = both.chunk(2)
        predicted = unguided + GUIDANCE_SCALE * (guided - unguided)
        latents = diffusion.scheduler.step(predicted, timestep, latents).prev_sample
    return (diffusion.vae.decode(latents / diffusion.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)


def measure_words(diffusion: Diffusion, words: dict[str, Tensor]) -> dict[str, float]:
    """Shares of pictures from learned words and from the initial word that show the class."""
    judge = load_judge()
    right, seeds = {}, list(range(SEED, SEED + IMAGES_PER_WORD))
    for name, vectors in sorted(words.items()):
        tokens = [pseudo_word(name)] * IMAGES_PER_WORD
        shown = judge.answers(from_noise(diffusion, tokens, vectors.expand(IMAGES_PER_WORD, -1, -1), seeds))["class"]
        right[f"word_{name}"] = shown.count(class_words(name)) / IMAGES_PER_WORD
    start = word_vectors(diffusion, "the")[None]
    count = 3 * IMAGES_PER_WORD
    more = list(range(SEED, SEED + count))
    shown = judge.answers(from_noise(diffusion, ["<the>"] * count, start.expand(count, -1, -1), more))["class"]
    counts = Counter(shown)
    initial = {name: counts[class_words(name)] / count for name in words}
    return {
        "learned_word_shows_its_class": float(np.mean(list(right.values()))),
        "initial_word_shows_that_class": float(np.mean(list(initial.values()))),
        "initial_word_most_often_shows_one": counts.most_common(1)[0][1] / count,
        **right,
    }


def measure_noise(diffusion: Diffusion, words: dict[str, Tensor]) -> dict[str, float]:
    """Mean feature distance between pictures of a noisy and of the clean word, from the same starting noise."""
    model = FeatureModel(path=str(MODELS / "dinov2"), entry_point="dinov2_demo", image_size=64)
    extractor = load_feature_extractor(model, torch.device("cpu"))
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    rms = float(word_vectors(diffusion, " ".join(caption_words())).square().mean().sqrt())
    names = [name for name in sorted(words) for _ in range(10)]
    seeds = list(range(SEED, SEED + len(names)))
    features = []
    for factor in (0.0, *NOISE_FACTORS):
        vectors = [noisy_word(words[name], factor * rms, seed) for name, seed in zip(names, seeds, strict=True)]
        pictures = from_noise(diffusion, [pseudo_word(name) for name in names], torch.stack(vectors), seeds)
        with torch.no_grad():
            features.append(functional.normalize(extractor((pictures - mean) / deviation), dim=1))
    distances = {
        f"feature_distance_at_{factor:g}_rms": float((moved - features[0]).norm(dim=1).mean())
        for factor, moved in zip(NOISE_FACTORS, features[1:], strict=True)
    }
    return {"word_vector_rms": rms, **distances}


def measure_confidence(cells: list[Path], store: Path, generator: str, weighting: str) -> dict[str, float]:
    """Area under the ROC curve of the confidence q, for images in which the judge recognizes the class or not."""
    judge, confidences, verdicts = load_judge(), [], []
    for cell in cells:
        folder = cell / "synthetic" / generator
        rows = read_manifest(folder / "manifest.csv")
        pixels = [np.asarray(Image.open(store / row.file_name).convert("RGB")) for row in rows]
        shown = judge.answers(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255)["class"]
        verdicts += [answer == class_words(row.class_name) for answer, row in zip(shown, rows, strict=True)]
        confidences += [row.confidence for row in read_weights(folder / "weights" / f"{weighting}.csv")]
    return {"images_of_their_class": float(np.mean(verdicts)), "confidence_auc": roc_auc(confidences, verdicts)}


def roc_auc(scores: list[float], right: list[bool]) -> float:
    """The probability that a correct image scores higher than a wrong one; ties count half (Mann-Whitney)."""
    ranks, verdicts = rankdata(scores), np.array(right)
    positive, negative = int(verdicts.sum()), int((~verdicts).sum())
    return float((ranks[verdicts].sum() - positive * (positive + 1) / 2) / (positive * negative))


def main() -> None:
    """Measures the run, and writes `demo/build/metrics/parts.json` and the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results/demo/world"), help="the run's dataset folder")
    parser.add_argument("--store", type=Path, default=Path("results/store"), help="folder of the images")
    parser.add_argument("--embedding", default="paper", help="embedding block (default: %(default)s)")
    parser.add_argument("--generator", default="noise_llm", help="generator block (default: %(default)s)")
    parser.add_argument("--weighting", default="paper", help="weighting block (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="torch threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cells = sorted(path.parent for path in arguments.results.glob("seed*/shots*/shots.csv"))
    diffusion = load_diffusion(
        DiffusionModel(path=str(MODELS / "stable_diffusion"), image_size=64), torch.device("cpu")
    )
    words = read_words(cells[-1] / "embeddings" / f"{arguments.embedding}.safetensors")
    metrics = {
        **measure_words(diffusion, words),
        **measure_noise(diffusion, words),
        **measure_confidence(cells, arguments.store, arguments.generator, arguments.weighting),
    }
    write_metrics("parts", {name: round(value, 4) for name, value in metrics.items()})
    write_parts(MODELS)


if __name__ == "__main__":
    main()

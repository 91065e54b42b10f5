"""Training scenes of the autoencoder and the text-to-image model; each depends only on its number."""

from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor

from demo.training.loop import BUILD
from demo.world.scenes import SIDE, Scene, draw, sample_scene

SEED = 1_000_000
COUNT = 24_000


def training_scene(number: int, seed: int = SEED) -> Scene:
    """The training scene of a number: one of the known classes, in any color, place and time."""
    return sample_scene(np.random.default_rng([seed, number]))


def training_scenes(count: int = COUNT, seed: int = SEED) -> list[Scene]:
    """The first `count` training scenes."""
    return [training_scene(number, seed) for number in range(count)]


def pixels_of(number: int, seed: int) -> np.ndarray:
    """One training scene's pixels, uint8 [64, 64, 3]."""
    return np.asarray(draw(training_scene(number, seed)))


def training_pixels(processes: int, count: int = COUNT, seed: int = SEED) -> np.ndarray:
    """All training pictures, uint8 [count, 64, 64, 3], cached in demo/build."""
    path = BUILD / f"scenes_{seed}_{count}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.empty((count, SIDE, SIDE, 3), np.uint8)
        with get_context("spawn").Pool(processes) as pool:
            for number, picture in enumerate(pool.imap(partial(pixels_of, seed=seed), range(count), chunksize=200)):
                pixels[number] = picture
        unfinished = path.with_suffix(".partial.npy")
        np.save(unfinished, pixels)
        unfinished.replace(path)
    return np.load(path, mmap_mode="r")


def as_images(pixels: np.ndarray) -> Tensor:
    """Converts uint8 [B, 64, 64, 3] to float32 [B, 3, 64, 64] in -1..1, the range of Stable Diffusion's autoencoder."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1

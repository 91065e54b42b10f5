"""The diffusion model in half precision on the CPU: words, noise ceilings and images, close to those of float32."""

import csv

import numpy as np
import pytest
from PIL import Image

CELL = "results/tiny/world/seed7/shots2"
TARGETS = [f"{CELL}/synthetic/{name}/manifest.csv" for name in ("diagen", "fitted")]
TOLERANCE = {"float16": 4, "bfloat16": 24}
"""Of 255 gray levels, for the largest difference at guidance scale 15: they have 11 and 8 significant bits."""


def extend(config):
    steps = {"images_per_level": 1, "guidance_scale": 4, "inference_steps": 4}
    config["noise_ceilings"] = {
        "own": {"embedding": "paper", "guide_classifier": "paper", "levels": [0.01, 0.1], **steps}
    }
    config["generators"]["fitted"] = config["generators"]["da_fusion"] | {
        "noise_levels": [0.01],
        "noise_ceiling": "own",
    }
    config["methods"]["fitted"] = {"generator": "fitted", "synthetic_probability": 0.5}


def images(project):
    """The pixels of each image of `diagen` by class, guide image and number."""
    found = {}
    with open(project.folder / TARGETS[0], newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            with Image.open(project.folder / "results/store" / row["file_name"]) as image:
                found[row["class"], row["guide"], row["number"]] = np.asarray(image).astype(int)
    return found


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_on_the_cpu(changeable, dtype):
    single = images(changeable)
    changeable.configure(extend)
    changeable.configure(lambda config: config["models"]["diffusion"].update(dtype=dtype))
    changeable.make("--cores", "2", *TARGETS)
    half = images(changeable)
    assert half.keys() == single.keys()
    differences = [np.abs(half[name] - single[name]).max() for name in single]
    assert 0 < max(differences) <= TOLERANCE[dtype]
    assert (changeable.folder / TARGETS[1]).is_file()


def test_words_and_images_in_bfloat16_make_all_results(changeable):
    changeable.configure(lambda config: config["models"]["diffusion"].update(dtype="bfloat16"))
    changeable.configure(lambda config: config["embeddings"]["paper"].update(dtype="bfloat16"))
    changeable.make("--cores", "2")
    word = changeable.folder / "results/tiny/world/seed7/shots2/embeddings/paper.made_with.json"
    assert '"dtype": "bfloat16"' in word.read_text("utf-8")
    assert changeable.plan() == set()

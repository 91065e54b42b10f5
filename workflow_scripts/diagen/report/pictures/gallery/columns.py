"""What the gallery's script knows of the images, in columns, which are a quarter of the size of rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diagen.report.labels import label
from diagen.report.page.words import spaced
from diagen.report.pictures.collection import Guide, Picture, used_by
from diagen.report.pictures.settings import PicturesSettings
from diagen.report.pictures.sheets import Album


def gallery_columns(
    pictures: Sequence[Picture], settings: PicturesSettings, store: Path, album: Album
) -> dict[str, Any]:
    """All that the gallery's script needs, in lists of one value per guide image or image.

    Repeated values are positions in the lists before them: classes, prompts, levels, cells. Adds the thumbnails to
    `album`: those of a guide image and its images one after another.
    """
    guides: dict[Guide, int] = {}
    thumbs = []
    for picture in pictures:
        if picture.guide not in guides:
            guides[picture.guide] = album.add(picture.guide.path)
        thumbs.append(album.add(store / picture.row.file_name))
    cells = list(dict.fromkeys(guide.cell for guide in guides))
    classes = sorted({guide.class_name for guide in guides})
    prompts = list(dict.fromkeys(picture.row.prompt for picture in pictures))
    levels = sorted({picture.row.noise_level for picture in pictures})
    weightings = list(dict.fromkeys((used, name) for used, name in settings.methods.values() if name))
    weightings = [pair for pair in weightings if any(p.generator == pair[0] and pair[1] in p.weights for p in pictures)]
    number_of = {guide: number for number, guide in enumerate(guides)}
    prompt_of = {prompt: number for number, prompt in enumerate(prompts)}
    level_of = {level: number for number, level in enumerate(levels)}
    generator_of = {name: number for number, name in enumerate(settings.generators)}
    return {
        "datasets": [spaced(name) for name in settings.datasets],
        "classes": [spaced(name) for name in classes],
        "generators": [
            {
                "label": label(name),
                "users": used_by(settings, name),
                "strength": block.strength,
                "guidance": block.guidance_scale,
                "steps": block.inference_steps,
                "noisy": any(block.noise_levels),
                "varied": block.prompts is not None,
            }
            for name, block in settings.generators.items()
        ],
        "methods": [
            {
                "label": label(name),
                "generator": generator_of[used],
                "weighting": next((n for n, pair in enumerate(weightings) if pair == (used, weighting)), -1),
            }
            for name, (used, weighting) in settings.methods.items()
        ],
        "prompts": [spaced(prompt) for prompt in prompts],
        "levels": levels,
        "cells": [(settings.datasets.index(cell.dataset), cell.seed, cell.shots) for cell in cells],
        "draws": {cell.seed: settings.draw(cell.seed) for cell in cells},
        "guides": {
            "cell": [cells.index(guide.cell) for guide in guides],
            "class": [classes.index(guide.class_name) for guide in guides],
            "number": [guide.number for guide in guides],
            "path": [str(guide.path) for guide in guides],
            "thumb": list(guides.values()),
        },
        "images": {
            "guide": [number_of[picture.guide] for picture in pictures],
            "generator": [generator_of[picture.generator] for picture in pictures],
            "number": [picture.row.number for picture in pictures],
            "prompt": [prompt_of[picture.row.prompt] for picture in pictures],
            "level": [level_of[picture.row.noise_level] for picture in pictures],
            "noiseSeed": [picture.row.noise_seed for picture in pictures],
            "imageSeed": [picture.row.image_seed for picture in pictures],
            "thumb": thumbs,
        },
        "weights": [_weight_columns(pictures, *pair) for pair in weightings],
    }


def _weight_columns(pictures: Sequence[Picture], generator: str, weighting: str) -> dict[str, list[float | None]]:
    rows = [picture.weights.get(weighting) if picture.generator == generator else None for picture in pictures]
    return {
        "weight": [round(row.weight, 5) if row else None for row in rows],
        "confidence": [round(row.confidence, 5) if row else None for row in rows],
    }

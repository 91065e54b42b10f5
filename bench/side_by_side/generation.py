"""Generating images: micro-batches across guide images and classes, beside diffusers' img2img an image at a time."""

import numpy as np
import torch
from diffusers import PNDMScheduler, StableDiffusionImg2ImgPipeline
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.side_by_side.inversion import token
from bench.side_by_side.material import CPU, DIFFUSION, MICRO_BATCH, SIDE, Workplace, photos
from bench.side_by_side.measure import Stage
from diagen.config.programs import GenerateImagesSettings
from diagen.generation.fill import generate
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import load_diffusion, word_vectors


def load_pipeline(classes: list[str]) -> StableDiffusionImg2ImgPipeline:
    """Load diffusers' pipeline with a token for each class."""
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        str(DIFFUSION.location), dtype=torch.float32, safety_checker=None
    )
    pipeline.scheduler = PNDMScheduler.from_config(pipeline.scheduler.config, skip_prk_steps=True)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.tokenizer.add_tokens([token(name) for name in classes])
    pipeline.text_encoder.resize_token_embeddings(len(pipeline.tokenizer), mean_resizing=False)
    return pipeline


def generate_one(
    pipeline: StableDiffusionImg2ImgPipeline, row: PlanRow, word: Tensor, settings: GenerateImagesSettings
) -> Image.Image:
    """Generate the image of one row with the random numbers of the library; `word` is [1, width], without noise."""
    noise = torch.randn(word.shape, generator=torch.Generator().manual_seed(row.noise_seed))
    with torch.no_grad():
        table = pipeline.text_encoder.get_input_embeddings().weight
        number = pipeline.tokenizer.convert_tokens_to_ids(token(row.class_name))
        table[number] = (word + row.noise_level * noise)[0]
    with Image.open(row.guide_path) as file:
        guide = file.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return pipeline(
        prompt=row.prompt,
        image=guide,
        strength=settings.strength,
        guidance_scale=settings.guidance_scale,
        num_inference_steps=settings.inference_steps,
        generator=torch.Generator().manual_seed(row.image_seed),
    ).images[0]


def stage(place: Workplace) -> Stage:
    """Sixteen images of eight guide images, with the strength, guidance and schedule of the paper."""
    guides = photos(place.new_folder(), place.size(4, 2), per_class=2)
    names = sorted({guide.class_name for guide in guides})
    count, micro_batch = place.size(MICRO_BATCH, 2), place.size(MICRO_BATCH, 2)
    settings = GenerateImagesSettings(
        strength=0.7, guidance_scale=15.0, inference_steps=place.size(50, 10), diffusion=DIFFUSION
    )
    rows = []
    for number in range(count):
        guide = guides[number % len(guides)]
        prompt = f"a photo of a {token(guide.class_name)} in the snow"
        level = 0.005 * (number % 4)
        where = (guide.class_name, 0, str(guide.path), guide.sha256, number)
        rows.append((PlanRow(*where, prompt, level, number, 1000 + number), f"{number}.png"))
    diffusion, pipeline = load_diffusion(DIFFUSION, CPU), load_pipeline(names)
    start = word_vectors(diffusion, "the")[:1]
    words = {name: start + 0.01 * number for number, name in enumerate(names)}

    def plain() -> NDArray[np.uint8]:
        folder = place.new_folder()
        for row, name in rows:
            generate_one(pipeline, row, words[row.class_name], settings).save(folder / name)
        return _pixels([folder / name for _, name in rows])

    def ours() -> NDArray[np.uint8]:
        store = place.new_folder()
        generate(diffusion, rows, words, settings, store, micro_batch)
        return _pixels([store / name for _, name in rows])

    @torch.no_grad()
    def floor() -> None:
        unet = diffusion.unet.config
        latents = torch.randn(2 * micro_batch, unet.in_channels, unet.sample_size, unet.sample_size)
        states = torch.randn(len(latents), diffusion.tokenizer.model_max_length, unet.cross_attention_dim)
        for _ in range(evaluations * (count // micro_batch)):
            diffusion.unet(latents, 500, states)

    # PNDM without Runge-Kutta steps evaluates its first timestep twice.
    evaluations = int(settings.inference_steps * settings.strength) + 1
    return Stage(
        name="generation",
        work=f"{count} images, {evaluations} evaluations with guidance each",
        plain=plain,
        ours=ours,
        floor=floor,
        difference=lambda one, other: float(np.abs(one.astype(int) - other.astype(int)).max()),
        tolerance=2,
        unit="gray levels",
    )


def _pixels(paths: list) -> NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(path)) for path in paths])

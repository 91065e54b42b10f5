"""Trains the UNet and the text encoder of the small Stable Diffusion on captioned scenes of the drawn world."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from demo.training.architectures import MODELS
from demo.training.captions import training_caption
from demo.training.loop import BUILD, metrics_path, train, training_arguments, write_metrics
from demo.training.text_to_image import TextToImage, new_scheduler, new_tokenizer, tokenize, write_text_to_image
from demo.training.training_scenes import SEED, as_images, training_pixels, training_scenes

NAME = "diffusion"
# Steps and highest learning rate of two rounds, each with its own schedule.
ROUNDS = ((3000, 1.5e-3), (1500, 1.2e-3))
BATCH = 48
# Weights of noise levels: min(SNR, 5) / SNR for noise prediction (Hang et al. 2023, arXiv 2303.09556).
SNR_LIMIT = 5.0


@torch.no_grad()
def scaled_posteriors(folder: Path, pixels: np.ndarray, device: str) -> np.ndarray:
    """Mean and deviation of each picture's latent times the scaling factor, float16 [N, 8, 16, 16]; cached."""
    weights = folder / "diffusion_pytorch_model.safetensors"
    path = BUILD / f"posteriors_{hashlib.sha256(weights.read_bytes()).hexdigest()[:12]}.npy"
    if not path.exists():
        autoencoder = AutoencoderKL.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        encoded = np.empty((len(pixels), 8, 16, 16), np.float16)
        for start in range(0, len(pixels), 64):
            posterior = autoencoder.encode(as_images(pixels[start : start + 64]).to(device)).latent_dist
            parts = torch.cat([posterior.mean, posterior.std], 1) * autoencoder.config.scaling_factor
            encoded[start : start + 64] = parts.half().cpu().numpy()
        unfinished = path.with_suffix(".partial.npy")
        np.save(unfinished, encoded)
        unfinished.replace(path)
    return np.load(path)


def main() -> None:
    """Trains, and completes `demo/models/stable_diffusion` with the averaged weights."""
    arguments = training_arguments(__doc__)
    folder = MODELS / "stable_diffusion"
    if metrics_path(NAME).exists() and (folder / "unet" / "diffusion_pytorch_model.safetensors").exists():
        print(f"{NAME}: complete")
        return
    scenes = training_scenes()
    posteriors = scaled_posteriors(folder / "vae", training_pixels(arguments.threads), arguments.device)
    tokenizer = new_tokenizer(folder / "tokenizer")
    torch.manual_seed(SEED)
    model = TextToImage(tokenizer).to(arguments.device)
    kept = new_scheduler().alphas_cumprod
    level_weights = (kept / (1 - kept)).clamp(max=SNR_LIMIT) / (kept / (1 - kept))

    def loss_of_step(step: int, stream: int) -> Tensor:
        chance = np.random.default_rng([SEED, stream, step])
        chosen = chance.choice(len(scenes), BATCH, replace=False)
        tokens = tokenize(tokenizer, [training_caption(scenes[number], chance) for number in chosen])
        generator = torch.Generator().manual_seed(SEED * (stream - 1) + step)
        mean, deviation = torch.from_numpy(posteriors[chosen]).float().chunk(2, 1)
        clean = mean + deviation * torch.randn(mean.shape, generator=generator)
        noise = torch.randn(mean.shape, generator=generator)
        timesteps = torch.randint(0, len(kept), (BATCH,), generator=generator)
        share = kept[timesteps].view(-1, 1, 1, 1)
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        noisy = noisy.to(arguments.device, memory_format=torch.channels_last)
        predicted = model(noisy, timesteps.to(arguments.device), tokens.to(arguments.device))
        errors = (predicted - noise.to(arguments.device)).square().mean((1, 2, 3))
        return (errors * level_weights[timesteps].to(arguments.device)).mean()

    for number, (steps, rate) in enumerate(ROUNDS, start=1):
        train(
            f"{NAME}_{number}",
            model,
            partial(loss_of_step, stream=1 + number),
            steps=steps,
            learning_rate=rate,
            weight_decay=1e-2,
        )
    write_text_to_image(folder, model, tokenizer)
    write_metrics(
        NAME,
        {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "steps": sum(steps for steps, _ in ROUNDS),
            "batch": BATCH,
            "seed": SEED,
            "scenes": len(scenes),
        },
    )


if __name__ == "__main__":
    main()

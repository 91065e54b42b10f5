"""Trains the autoencoder of the small Stable Diffusion: 64x64 pixels to 16x16 latents of 4 channels, and back."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from demo.training.architectures import MODELS
from demo.training.loop import metrics_path, train, training_arguments, write_metrics
from demo.training.training_scenes import SEED, as_images, training_pixels, training_scene
from demo.world.scenes import draw

NAME = "autoencoder"
STEPS = 2000
BATCH = 16
KL_WEIGHT = 1e-6
EDGE_WEIGHT = 1.0
SQUARE_WEIGHT = 1.0
CHANNELS = (32, 64, 96)


def new_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder; without attention, because reconstruction is local."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(CHANNELS),
        up_block_types=("UpDecoderBlock2D",) * len(CHANNELS),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
    )


def edges(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between horizontal and between vertical neighbors in images [B, C, H, W]."""
    return images.diff(dim=-1), images.diff(dim=-2)


def reconstruction_loss(restored: Tensor, images: Tensor) -> Tensor:
    """Absolute and squared error of the pixels, plus absolute error of their edges, which penalizes blur."""
    loss = functional.l1_loss(restored, images) + SQUARE_WEIGHT * functional.mse_loss(restored, images)
    for ours, theirs in zip(edges(restored), edges(images), strict=True):
        loss = loss + EDGE_WEIGHT * functional.l1_loss(ours, theirs)
    return loss


@torch.no_grad()
def latent_deviation(autoencoder: AutoencoderKL, images: Tensor) -> float:
    """Standard deviation of all latent values; the scaling factor normalizes it to 1 (Rombach et al. 2022, D.1)."""
    return float(torch.cat([autoencoder.encode(part).latent_dist.mean for part in images.split(64)]).std())


@torch.no_grad()
def restoration_error(autoencoder: AutoencoderKL, images: Tensor) -> float:
    """Mean absolute error of reconstructed pixels, in gray levels of 0..255."""
    parts = images.split(64)
    errors = [
        (autoencoder.decode(autoencoder.encode(p).latent_dist.mean).sample.clamp(-1, 1) - p).abs().mean((1, 2, 3))
        for p in parts
    ]
    return float(torch.cat(errors).mean() * 127.5)


def main() -> None:
    """Trains, writes `demo/models/stable_diffusion/vae` and measures the reconstruction of unseen scenes."""
    arguments = training_arguments(__doc__)
    folder = MODELS / "stable_diffusion" / "vae"
    if metrics_path(NAME).exists() and (folder / "diffusion_pytorch_model.safetensors").exists():
        print(f"{NAME}: complete")
        return
    pixels = training_pixels(arguments.threads)
    torch.manual_seed(SEED)
    autoencoder = new_autoencoder().to(arguments.device, memory_format=torch.channels_last)

    def loss_of_step(step: int) -> Tensor:
        chosen = np.random.default_rng([SEED, 1, step]).choice(len(pixels), BATCH, replace=False)
        images = as_images(pixels[np.sort(chosen)]).to(arguments.device, memory_format=torch.channels_last)
        posterior = autoencoder.encode(images).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(SEED + step))
        restored = autoencoder.decode(posterior.mean + posterior.std * noise.to(arguments.device)).sample
        return reconstruction_loss(restored, images) + KL_WEIGHT * posterior.kl().mean()

    train(NAME, autoencoder, loss_of_step, steps=STEPS, learning_rate=2e-3, weight_decay=1e-4)
    deviation = latent_deviation(autoencoder, as_images(pixels[:2000]).to(arguments.device))
    autoencoder.register_to_config(scaling_factor=round(1 / deviation, 5))
    autoencoder.half().save_pretrained(folder)
    shipped = AutoencoderKL.from_pretrained(folder, dtype=torch.float32).to(arguments.device).eval()
    unseen = np.stack([np.asarray(draw(training_scene(number, SEED + 1))) for number in range(500)])
    parameters = sum(parameter.numel() for parameter in shipped.parameters())
    write_metrics(
        NAME,
        {
            "parameters": parameters,
            "steps": STEPS,
            "batch": BATCH,
            "seed": SEED,
            "scaling_factor": shipped.config.scaling_factor,
            "mean_error_gray_levels": round(restoration_error(shipped, as_images(unseen).to(arguments.device)), 3),
        },
    )


if __name__ == "__main__":
    main()

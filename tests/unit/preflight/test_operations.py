"""Operations of the paper's models, counted from their shapes, against the published counts."""

from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel

from diagen.config import load_config
from diagen.preflight.models import check_models
from diagen.preflight.operations import DEMO, DINOV2, PAPER, count, count_diffusion
from diagen.preflight.report import Report


def test_stable_diffusion_v1_4() -> None:
    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
        )
    tokenizer = SimpleNamespace(model_max_length=77)
    model = SimpleNamespace(
        vae=vae, unet=unet, text_encoder=text_encoder, tokenizer=tokenizer, image_size=512, dtype=torch.float32
    )
    counted = count_diffusion(model)
    assert set(counted) == {"unet", "encode", "decode", "text"}
    assert counted == pytest.approx({part: getattr(PAPER, part) for part in counted}, rel=0.01)


VIT_L = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
VIT_S = {"hidden_size": 384, "num_attention_heads": 6}


@pytest.mark.parametrize(
    ("model", "config", "size", "tflop"),
    [
        (ResNetModel, ResNetConfig(), 256, PAPER.backbone),
        (Dinov2Model, Dinov2Config(**VIT_L, patch_size=14, image_size=518), 224, DINOV2["dinov2_vitl14"]),
        (Dinov2Model, Dinov2Config(**VIT_S, patch_size=14, image_size=518), 224, DINOV2["dinov2_vits14"]),
    ],
    ids=["ResNet-50", "ViT-L/14", "ViT-S/14"],
)
def test_image_models(model, config, size: int, tflop: float) -> None:
    with torch.device("meta"):
        net = model(config)
        pixels = torch.empty(1, 3, size, size)
    assert count(net, pixels) == pytest.approx(tflop, rel=0.02)


def test_the_demos_models() -> None:
    config = load_config(yaml.safe_load(Path("config/demo.yaml").read_text("utf-8")), "config/demo.yaml")
    counted = check_models(config, Report())
    assert astuple(counted) == pytest.approx(astuple(DEMO), rel=0.01)

"""Models with random weights in the formats of the shipped ones, to test the workflow in seconds."""

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionImg2ImgPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo.training.architectures import (
    LlamaVocabulary,
    as_byte_letters,
    dinov2_source,
    llama_model,
    resnet_model,
    write_checksums,
    write_clip_tokenizer,
    write_dinov2,
    write_llama_gguf,
    write_resnet,
)
from diagen.prompts.form import ENDINGS_CUT

IMAGE_SIZE = 32
TEXT_LENGTH = 32
WORDS = (
    "a an the of in on at under photo rendering picture close up image good bad small large tiny red green blue yellow "
    "white orange purple pink desert forest snow street water beach living room space day night sunset"
).split()


def write_stand_ins(folder: Path, seed: int = 0) -> None:
    """Writes `stable_diffusion/`, `llama.gguf`, `dinov2/`, `resnet/` and `SHA256SUMS` into `folder`.

    Images have 32x32 pixels, latents a quarter of that per side. The same seed gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        write_stable_diffusion(folder / "stable_diffusion")
        write_llama(folder / "llama.gguf")
        shape = {"image_size": IMAGE_SIZE, "width": 32, "depth": 2, "heads": 2}
        write_dinov2(folder / "dinov2", shape, dinov2_source().DinoVisionTransformer(**shape).state_dict())
        resnet = resnet_model(8, [8, 16, 16, 32], [1, 1, 1, 1], ["ball", "box"])
        write_resnet(folder / "resnet", resnet, IMAGE_SIZE)
    write_checksums(folder)


def write_stable_diffusion(folder: Path) -> None:
    """Writes an untrained Stable Diffusion in diffusers' layout, with the noise schedule of v1-4."""
    tokens = write_clip_tokenizer(folder / "tokenizer", WORDS, TEXT_LENGTH)
    text = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
    )
    unet = UNet2DConditionModel(
        sample_size=IMAGE_SIZE // 4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    autoencoder = AutoencoderKL(
        sample_size=IMAGE_SIZE,
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
    )
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
        set_alpha_to_one=False,
    )
    pipeline = StableDiffusionImg2ImgPipeline(
        vae=autoencoder,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder)
    # transformers would read this copy of the vocabulary first; vocab.json and merges.txt are the only source.
    (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)


def write_llama(path: Path) -> None:
    """Writes an untrained Llama whose vocabulary contains `WORDS` and all bytes."""
    words = "".join(f" {word}" for word in WORDS)
    vocabulary = LlamaVocabulary([words, "a\n", "user", "assistant"])
    model = llama_model(len(vocabulary), 64, 2, 2, 96)
    # Prefer short lines of whole words: strings of letters would exceed the text encoder's context, and write_prompts
    # refuses lines that end at the grammar's bound or with a preposition.
    preferred = {as_byte_letters(f" {word}"): 2.0 for word in WORDS if word not in {*ENDINGS_CUT, "photo"}}
    preferred |= {as_byte_letters(" "): 3.0, as_byte_letters("\n"): 4.5}
    preference = [preferred.get(token, 0.3) for token in vocabulary.tokens]
    with torch.no_grad():
        model.get_input_embeddings().weight[:, 0] = torch.tensor(preference)
    write_llama_gguf(path, model, vocabulary, "stand-in")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write the models into")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights (default: 0)")
    arguments = parser.parse_args()
    write_stand_ins(arguments.output, arguments.seed)

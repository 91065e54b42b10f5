"""Generation: the images of diffusers, independent of the other rows of a micro-batch, each made once."""

import copy
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionImg2ImgPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from diagen.config import DiffusionModel
from diagen.config.programs import GenerateImagesSettings
from diagen.errors import InputError
from diagen.generation.fill import generate, image_name, manifest_of, missing_rows, word_of
from diagen.generation.img2img import Posterior, Word, encode_guides, noisy_word
from diagen.generation.plan_file import PlanRow
from diagen.models.diffusion import Diffusion, load_diffusion

MODEL = {"image_size": 32, "sha256": "0" * 64}


@pytest.fixture(scope="module")
def settings(stand_ins: Path) -> GenerateImagesSettings:
    model = DiffusionModel(path=str(stand_ins / "stable_diffusion"), **MODEL)
    return GenerateImagesSettings(strength=0.7, guidance_scale=15.0, inference_steps=50, diffusion=model)


@pytest.fixture(scope="module")
def diffusion(settings: GenerateImagesSettings) -> Diffusion:
    return load_diffusion(settings.diffusion, torch.device("cpu"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[PlanRow]:
    folder = tmp_path_factory.mktemp("guides")
    generator = np.random.default_rng(0)
    rows = []
    for guide in range(2):
        path = folder / f"guide {guide}.png"
        Image.fromarray(generator.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        for number in range(4):
            name = ["car", "pine_tree"][guide]
            prompt = f"a photo of a <{name}> in the snow"
            seed = 10 * guide + number
            rows.append(PlanRow(name, guide, str(path), digest, number, prompt, 0.01 * number, seed, 100 + seed))
    return rows


@pytest.fixture(scope="module")
def words(diffusion: Diffusion) -> dict[str, torch.Tensor]:
    width = diffusion.text_encoder.config.hidden_size
    generator = torch.Generator().manual_seed(5)
    return {name: torch.randn(1, width, generator=generator) * 0.05 for name in ("car", "pine_tree")}


def images(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    store: Path,
    micro_batch: int,
    **options: bool,
) -> dict[str, np.ndarray]:
    names = [f"{row.class_name}-{row.guide}-{row.number}.png" for row in rows]
    generate(diffusion, list(zip(rows, names, strict=True)), words, settings, store, micro_batch, **options)
    return {name: np.asarray(Image.open(store / name)) for name in names}


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_an_image_is_that_of_diffusers(
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    stand_ins: Path,
    prediction: str,
) -> None:
    """Against StableDiffusionImg2ImgPipeline with the noisy word written into its token table.

    A Stable Diffusion 2.x names another scheduler and may predict velocities.
    """
    row = rows[3]
    model = shutil.copytree(stand_ins / "stable_diffusion", tmp_path / "model")
    if prediction == "v_prediction":
        file = model / "scheduler/scheduler_config.json"
        config = json.loads(file.read_text()) | {"_class_name": "DDIMScheduler", "prediction_type": prediction}
        del config["skip_prk_steps"]
        file.write_text(json.dumps(config))
    diffusion = load_diffusion(DiffusionModel(path=str(model), image_size=32), torch.device("cpu"))
    ours = images(diffusion, [row], words, settings, tmp_path, micro_batch=1).popitem()[1]
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(model, dtype=torch.float32, safety_checker=None)
    pipeline.scheduler = PNDMScheduler.from_config(pipeline.scheduler.config, skip_prk_steps=True)
    assert pipeline.scheduler.config.prediction_type == prediction
    pipeline.set_progress_bar_config(disable=True)
    pipeline.tokenizer.add_tokens(["<car>"])
    pipeline.text_encoder.resize_token_embeddings(len(pipeline.tokenizer), mean_resizing=False)
    with torch.no_grad():
        table = pipeline.text_encoder.get_input_embeddings().weight
        table[pipeline.tokenizer.convert_tokens_to_ids("<car>")] = noisy_word(
            words["car"], row.noise_level, row.noise_seed
        )[0]
    guide = Image.open(row.guide_path).resize((32, 32), Image.Resampling.BILINEAR)
    theirs = pipeline(
        prompt=row.prompt,
        image=guide,
        strength=settings.strength,
        guidance_scale=settings.guidance_scale,
        num_inference_steps=settings.inference_steps,
        generator=torch.Generator().manual_seed(row.image_seed),
    ).images[0]
    difference = np.abs(ours.astype(int) - np.asarray(theirs).astype(int))
    assert difference.max() <= 1
    assert np.asarray(theirs).std() > 1


@pytest.mark.parametrize("plain", [False, True], ids=["learned words", "plain class names"])
def test_words_of_many_vectors_plain_names_and_negative_prompts_are_those_of_diffusers(
    diffusion: Diffusion,
    rows: list[PlanRow],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    stand_ins: Path,
    plain: bool,
) -> None:
    """Against the pipeline with a token for each of four vectors, each with noise of its own."""
    row = dataclasses.replace(rows[3], noise_level=0.0, prompt="a photo of a red car") if plain else rows[3]
    learned = torch.randn(4, diffusion.text_encoder.config.hidden_size, generator=torch.Generator().manual_seed(8))
    settings = settings.model_copy(update={"negative_prompt": "a blue desert"})
    words = {} if plain else {"car": learned * 0.05}
    ours = images(diffusion, [row], words, settings, tmp_path, micro_batch=1).popitem()[1]
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        stand_ins / "stable_diffusion", dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    prompt = row.prompt
    if not plain:
        tokens = [f"<car{number}>" for number in range(4)]
        pipeline.tokenizer.add_tokens(tokens)
        pipeline.text_encoder.resize_token_embeddings(len(pipeline.tokenizer), mean_resizing=False)
        with torch.no_grad():
            table = pipeline.text_encoder.get_input_embeddings().weight
            table[pipeline.tokenizer.convert_tokens_to_ids(tokens)] = noisy_word(
                words["car"], row.noise_level, row.noise_seed
            )
        prompt = row.prompt.replace("<car>", " ".join(tokens))
    theirs = pipeline(
        prompt=prompt,
        negative_prompt="a blue desert",
        image=Image.open(row.guide_path).resize((32, 32), Image.Resampling.BILINEAR),
        strength=settings.strength,
        guidance_scale=settings.guidance_scale,
        num_inference_steps=settings.inference_steps,
        generator=torch.Generator().manual_seed(row.image_seed),
    ).images[0]
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1
    without = settings.model_copy(update={"negative_prompt": ""})
    other = images(diffusion, [row], words, without, tmp_path / "without", micro_batch=1).popitem()[1]
    assert np.abs(ours.astype(int) - other.astype(int)).max() > 1


def test_results_are_resized_to_their_guides_on_request(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    name, square = images(diffusion, rows[:1], words, settings, tmp_path / "model", micro_batch=2).popitem()
    resizing = settings.model_copy(update={"resize_to_guide": True})
    resized = images(diffusion, rows[:1], words, resizing, tmp_path / "guide", micro_batch=2)[name]
    assert square.shape == (32, 32, 3) and resized.shape == (40, 50, 3)
    assert np.array_equal(resized, np.asarray(Image.fromarray(square).resize((50, 40), Image.Resampling.BILINEAR)))


def test_the_word_of_a_row_is_the_one_in_its_prompt(rows: list[PlanRow], words: dict[str, torch.Tensor]) -> None:
    assert word_of(rows[0], words) == Word("<car>", words["car"])
    other = dataclasses.replace(rows[0], prompt="a photo of a <pine_tree>")
    assert word_of(other, words) == Word("<pine_tree>", words["pine_tree"])
    assert word_of(dataclasses.replace(rows[0], prompt="a photo of a car"), words) is None
    with pytest.raises(InputError, match="needs the word <car>, which the file of words lacks"):
        word_of(rows[0], {})


def test_micro_batches_agree_within_a_gray_level(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    one = images(diffusion, rows, words, settings, tmp_path / "1", micro_batch=1)
    eight = images(diffusion, rows, words, settings, tmp_path / "8", micro_batch=8)
    assert len({image.tobytes() for image in one.values()}) == len(rows)
    for name, image in one.items():
        assert np.abs(image.astype(int) - eight[name].astype(int)).max() <= 1


def test_the_other_rows_of_a_micro_batch_change_no_byte(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    """Order, resumption and shards change the other images of a pass, but not the bytes of an image."""
    images(diffusion, rows, words, settings, tmp_path / "all", micro_batch=4)
    shuffled = [rows[index] for index in (6, 1, 4, 3, 0)]
    images(diffusion, shuffled, words, settings, tmp_path / "some", micro_batch=4)
    for path in (tmp_path / "some").iterdir():
        assert path.read_bytes() == (tmp_path / "all" / path.name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch compiles for the CPU with a C++ compiler")
def test_a_compiled_unet_makes_the_same_images_up_to_a_gray_level_and_repeats_their_bytes(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    plain = images(diffusion, rows, words, settings, tmp_path / "plain", micro_batch=4)
    torch._dynamo.utils.counters.clear()
    compiled = images(diffusion, rows, words, settings, tmp_path / "compiled", micro_batch=4, compile_unet=True)
    shuffled = [rows[index] for index in (6, 1, 4, 3, 0)]
    images(diffusion, shuffled, words, settings, tmp_path / "some", micro_batch=4, compile_unet=True)
    assert torch._dynamo.utils.counters["frames"]["ok"] > 0
    for name, image in compiled.items():
        assert np.abs(image.astype(int) - plain[name].astype(int)).max() <= 1
        records = [manifest_of(rows[:1], [name], tmp_path / folder)[1][0] for folder in ("plain", "compiled")]
        assert [dict(record)["compiled"] for record in records] == ["no", "yes"]
    for path in (tmp_path / "some").iterdir():
        assert path.read_bytes() == (tmp_path / "compiled" / path.name).read_bytes()


def test_every_deciding_value_changes_the_name(
    rows: list[PlanRow], words: dict[str, torch.Tensor], settings: GenerateImagesSettings
) -> None:
    row, word = rows[0], Word("<car>", words["car"])
    names = {image_name(row, word, settings, "code")}
    for change in ({"guide_sha256": "x"}, {"prompt": "x"}, {"noise_level": 0.5}, {"noise_seed": 9}, {"image_seed": 9}):
        names.add(image_name(dataclasses.replace(row, **change), word, settings, "code"))
    for change in (
        {"strength": 0.5},
        {"guidance_scale": 7.5},
        {"inference_steps": 25},
        {"negative_prompt": "x"},
        {"resize_to_guide": True},
    ):
        names.add(image_name(row, word, settings.model_copy(update=change), "code"))
    for change in ({"sha256": "1"}, {"dtype": "bfloat16"}, {"image_size": 64}, {"variant": "fp16"}):
        model = settings.diffusion.model_copy(update=change)
        names.add(image_name(row, word, settings.model_copy(update={"diffusion": model}), "code"))
    names |= {image_name(row, Word("<car>", words["car"] + 1e-7), settings, "code")}
    names |= {image_name(row, None, settings, "code"), image_name(row, word, settings, "other code")}
    assert len(names) == 1 + 5 + 5 + 4 + 3
    moved = dataclasses.replace(row, guide_path="elsewhere.png")
    assert image_name(moved, word, settings, "code") in names


def test_only_what_the_store_lacks_is_made(rows: list[PlanRow], tmp_path: Path) -> None:
    names = ["a.png", "b.png", "b.png"]
    assert [name for _, name in missing_rows(rows[:3], names, tmp_path)] == ["a.png", "b.png"]
    (tmp_path / "a.png").touch()
    assert [name for _, name in missing_rows(rows[:3], names, tmp_path)] == ["b.png"]


def test_the_manifest_names_hashes_of_the_files(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    (name,) = images(diffusion, rows[1:2], words, settings, tmp_path, micro_batch=2)
    (row,), (record,) = manifest_of(rows[1:2], [name], tmp_path)
    assert dict(record)["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert row.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert (row.class_name, row.guide, row.number, row.noise_level, row.micro_batch) == ("car", 0, 1, 0.01, 2)


def test_a_file_that_generation_did_not_write_is_reported(rows: list[PlanRow], tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "other.png")
    (tmp_path / "bytes.png").write_bytes(b"some bytes")
    for name in ("other.png", "bytes.png"):
        with pytest.raises(
            InputError, match=rf"{name}: corrupt image\. Delete the file and run Snakemake again: rm .*{name}"
        ):
            manifest_of(rows[1:2], [name], tmp_path)


class SmallGpu(torch.nn.Module):
    """A network on a GPU without memory for more than `room` rows, after the first `calls` calls."""

    def __init__(self, network: torch.nn.Module, room: int, calls: int = 0) -> None:
        super().__init__()
        self.network, self.room, self.calls = network, room, calls

    def forward(self, latents: torch.Tensor, *arguments: torch.Tensor, **others: torch.Tensor) -> object:
        self.calls -= 1
        if self.calls < 0 and len(latents) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.network(latents, *arguments, **others)


def test_micro_batches_that_do_not_fit_are_halved(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The memory runs out in the second of two micro-batches: finished images stay, the rest is made in halves.

    Each image has the same bytes as in a run with the micro-batch that the manifest records.
    """
    undisturbed = {
        size: images(diffusion, rows, words, settings, tmp_path / str(size), micro_batch=size) for size in (4, 2)
    }
    passes = 35  # of 50 steps at strength 0.7
    small = dataclasses.replace(diffusion, unet=SmallGpu(diffusion.unet, room=2 * 2, calls=passes + 3))
    names = list(images(small, rows, words, settings, tmp_path / "small", micro_batch=4))
    assert "out of GPU memory: continuing with a micro-batch of 2" in capsys.readouterr().err
    manifest, _ = manifest_of(rows, names, tmp_path / "small")
    assert [row.micro_batch for row in manifest] == [4] * 4 + [2] * 4
    for row in manifest:
        content = (tmp_path / "small" / row.file_name).read_bytes()
        assert content == (tmp_path / str(row.micro_batch) / row.file_name).read_bytes()
        pixels = np.asarray(Image.open(tmp_path / "small" / row.file_name)).astype(int)
        assert np.abs(pixels - undisturbed[4][row.file_name].astype(int)).max() <= 1


def overflowing_model(stand_ins: Path, folder: Path, part: str, peak: float) -> DiffusionModel:
    """A float16 model: the first layer of the VAE's `part` overflows where its output was larger than `peak`.

    In float32 the larger outputs change little, since the next layers normalize them.
    """
    model = shutil.copytree(stand_ins / "stable_diffusion", folder / "model")
    file = model / "vae/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    for kind in ("weight", "bias"):
        weights[f"{part}.conv_in.{kind}"] *= torch.finfo(torch.float16).max / peak
    save_file(weights, file)
    return DiffusionModel(path=str(model), image_size=32, dtype="float16")


def peaks_of(layer: torch.nn.Module, run: Callable[[], object]) -> torch.Tensor:
    """The largest output of the layer for each image of its first pass in `run`, not finite where it overflowed."""
    peaks: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _, __, output: peaks.append(output.float().abs().flatten(1).amax(1)))
    try:
        run()
    finally:
        handle.remove()
    return peaks[0]


def test_images_that_overflow_in_float16_are_decoded_in_float32(
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    stand_ins: Path,
) -> None:
    """They are close to those of a float32 VAE, and the others have the same bytes as without them in their pass."""
    plain = load_diffusion(settings.diffusion.model_copy(update={"dtype": "float16"}), torch.device("cpu"))
    peaks = peaks_of(
        plain.vae.decoder.conv_in,
        lambda: images(plain, rows, words, settings, tmp_path / "plain", micro_batch=4),
    )
    model = overflowing_model(stand_ins, tmp_path, "decoder", peak=peaks.sort().values[1:3].mean().item())
    diffusion = load_diffusion(model, torch.device("cpu"))
    found: dict[str, np.ndarray] = {}
    peaks = peaks_of(
        diffusion.vae.decoder,
        lambda: found.update(images(diffusion, rows, words, settings, tmp_path / "half", micro_batch=4)),
    )
    assert 0 < peaks.isfinite().sum() < 4, "the test needs a pass with both kinds of images"
    single = dataclasses.replace(diffusion, vae=FloatVae(diffusion.vae))
    expected = images(single, rows, words, settings, tmp_path / "single", micro_batch=4)
    for name, image in found.items():
        assert np.abs(image.astype(int) - expected[name].astype(int)).max() <= 2
        assert image.std() > 1


class FloatVae(torch.nn.Module):
    """A VAE in float32 behind the interface of one in float16."""

    def __init__(self, vae: torch.nn.Module) -> None:
        super().__init__()
        self.vae, self.config = copy.deepcopy(vae).float(), vae.config

    def encode(self, images: torch.Tensor) -> object:
        return self.vae.encode(images.float())

    def decode(self, latents: torch.Tensor) -> object:
        return self.vae.decode(latents.float())


def test_guides_that_overflow_in_float16_are_encoded_in_float32(
    rows: list[PlanRow], tmp_path: Path, stand_ins: Path
) -> None:
    model = overflowing_model(stand_ins, tmp_path, "encoder", peak=0.5)
    diffusion = load_diffusion(model, torch.device("cpu"))
    paths = [Path(rows[0].guide_path), Path(rows[4].guide_path)]
    posteriors: list[Posterior] = []
    peaks = peaks_of(
        diffusion.vae.encoder,
        lambda: posteriors.extend(encode_guides(diffusion, paths, ["car", "pine_tree"], micro_batch=2)),
    )
    assert not peaks.isfinite().any()
    single = encode_guides(
        dataclasses.replace(diffusion, vae=FloatVae(diffusion.vae)), paths, ["car", "pine_tree"], micro_batch=2
    )
    for one, other in zip(posteriors, single, strict=True):
        assert torch.allclose(one.mean, other.mean, atol=1e-2) and one.mean.isfinite().all()
        assert torch.allclose(one.deviation, other.deviation, atol=1e-2)


@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [
        ("float32", r"Restore the files of `models\.diffusion`"),
        ("float16", r"Set `dtype: bfloat16` or `dtype: float32` in `models\.diffusion`"),
        ("bfloat16", r"Set `dtype: float32` in `models\.diffusion`"),
    ],
)
def test_images_that_are_not_finite_are_reported_and_cost_no_other(
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    dtype: str,
    remedy: str,
) -> None:
    """Every pass has images of both classes; a word without finite values spoils the denoising of its class alone."""
    model = settings.diffusion.model_copy(update={"dtype": dtype})
    settings = settings.model_copy(update={"inference_steps": 4, "diffusion": model})
    diffusion = load_diffusion(model, torch.device("cpu"))
    mixed = [rows[index] for index in (0, 4, 1, 5, 2, 6)]
    good = images(diffusion, mixed, words, settings, tmp_path / "good", micro_batch=2)
    spoiled = words | {"pine_tree": torch.full_like(words["pine_tree"], torch.inf)}
    with pytest.raises(InputError, match=rf"in {dtype}, these images are not finite.*{remedy}") as raised:
        images(diffusion, mixed, spoiled, settings, tmp_path / "bad", micro_batch=2)
    for row in mixed:
        name = f"class `{row.class_name}`, guide image {row.guide} ({row.guide_path}), number {row.number}"
        assert (name in str(raised.value)) == (row.class_name == "pine_tree")
    written = {path.name: path.read_bytes() for path in (tmp_path / "bad").iterdir()}
    assert written == {name: (tmp_path / "good" / name).read_bytes() for name in good if name.startswith("car")}


def test_generation_ends_after_20_images_if_none_is_finite(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    settings = settings.model_copy(update={"inference_steps": 4})
    many = [dataclasses.replace(rows[0], number=number) for number in range(30)]
    spoiled = {name: torch.full_like(word, torch.nan) for name, word in words.items()}
    passes = []
    handle = diffusion.unet.register_forward_hook(lambda *_: passes.append(1))
    with pytest.raises(InputError, match=r"number 19; and 4 more; 6 others were not tried\. Restore") as raised:
        images(diffusion, many, spoiled, settings, tmp_path, micro_batch=8)
    handle.remove()
    assert str(raised.value).startswith("models.diffusion: in float32, these images are not finite and were not")
    assert str(raised.value).count("class `car`, guide image 0") == 20
    assert len(passes) == 3 * 3 and not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"number 18\. Restore"):
        images(diffusion, many[:19], spoiled, settings, tmp_path, micro_batch=8)


def test_guides_whose_latents_are_not_finite_are_reported_together(
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    broken = load_diffusion(settings.diffusion, torch.device("cpu"))
    broken.vae.encoder.conv_in.weight.fill_(torch.nan)
    with pytest.raises(InputError, match="the VAE's latents of these photos are not finite") as raised:
        images(broken, rows, words, settings, tmp_path, micro_batch=4)
    for row in (rows[0], rows[4]):
        assert f"class `{row.class_name}`, {row.guide_path}" in str(raised.value)


@pytest.mark.parametrize("steps", [60, 30])
def test_steps_that_do_not_divide_1000_run_the_last_ones_of_diffusers(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
    stand_ins: Path,
    steps: int,
) -> None:
    """Against the pipeline with the strength that makes it start at 1 + 0.7 x 1000, rounded down to the schedule."""
    row = dataclasses.replace(rows[3], noise_level=0.0, prompt="a photo of a red car")
    ours = images(
        diffusion, [row], {}, settings.model_copy(update={"inference_steps": steps}), tmp_path, micro_batch=1
    ).popitem()[1]
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        stand_ins / "stable_diffusion", dtype=torch.float32, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    kept = int(700 / (1000 // steps))
    theirs = pipeline(
        prompt=row.prompt,
        image=Image.open(row.guide_path).resize((32, 32), Image.Resampling.BILINEAR),
        strength=(kept + 0.5) / steps,
        guidance_scale=settings.guidance_scale,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(row.image_seed),
    ).images[0]
    assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1


def test_a_schedule_that_the_model_lacks_is_reported(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    few = dataclasses.replace(diffusion, scheduler=PNDMScheduler(num_train_timesteps=40, skip_prk_steps=True))
    with pytest.raises(InputError, match=r"`inference_steps`: the model has 40 timesteps"):
        images(few, rows, words, settings, tmp_path, micro_batch=4)


def test_words_of_another_model_are_reported(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    name, word = next(iter(words.items()))
    other = words | {name: torch.zeros(1, word.shape[1] + 1)}
    with pytest.raises(
        InputError, match=f"word of `{name}` has {word.shape[1] + 1} values, but those of .* have {word.shape[1]}"
    ):
        images(diffusion, rows, other, settings, tmp_path, micro_batch=4)


def test_an_image_that_cannot_be_written_stops_generation_at_once(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    passes = []
    handle = diffusion.unet.register_forward_hook(lambda *_: passes.append(1))
    try:
        with pytest.raises(OSError, match="store"):
            images(diffusion, rows, words, settings, tmp_path / "store", micro_batch=1)
    finally:
        handle.remove()
    assert len(passes) == 2 * 36, "more images were computed than may wait for writing"


def test_a_single_image_that_does_not_fit_is_reported(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    small = dataclasses.replace(diffusion, unet=SmallGpu(diffusion.unet, room=1))
    with pytest.raises(
        InputError,
        match=r"not enough GPU memory for a single image \(CUDA out of memory\.\): free GPU memory \(`nvidia-smi`",
    ):
        images(small, rows, words, settings, tmp_path, micro_batch=6)
    assert not list(tmp_path.glob("*.png"))


def test_noise_has_the_requested_standard_deviation() -> None:
    noise = noisy_word(torch.zeros(4, 20_000), 0.025, seed=3)
    assert noise.std().item() == pytest.approx(0.025, rel=0.01)
    assert torch.equal(noise, noisy_word(torch.zeros(4, 20_000), 0.025, seed=3))
    assert not torch.equal(noise, noisy_word(torch.zeros(4, 20_000), 0.025, seed=4))
    word = torch.rand(1, 8)
    assert torch.equal(noisy_word(word, 0.0, seed=1), word)


def test_a_guide_that_changed_after_planning_is_reported(
    diffusion: Diffusion,
    rows: list[PlanRow],
    words: dict[str, torch.Tensor],
    settings: GenerateImagesSettings,
    tmp_path: Path,
) -> None:
    row = dataclasses.replace(rows[0], guide_sha256="0" * 64)
    with pytest.raises(InputError, match=r"guide 0\.png: the photo changed after it was indexed"):
        images(diffusion, [row], words, settings, tmp_path, micro_batch=1)

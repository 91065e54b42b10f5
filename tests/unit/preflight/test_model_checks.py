"""Models that load but cannot do their work: preflight reports each in one line, the jobs in the same line."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForImageClassification

from diagen.cells import Cell
from diagen.config import DiffusionModel, load_config
from diagen.config.models import BackboneModel, FeatureModel
from diagen.config.programs import LearnEmbeddingsSettings
from diagen.data.shots_file import Shot
from diagen.embeddings.step_draws import TEMPLATES
from diagen.embeddings.word_groups import learn_cell, require_room
from diagen.errors import InputError
from diagen.files.model_parts import trained_size_warning
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import load_diffusion, tokenize
from diagen.preflight.checks import check
from diagen.preflight.gguf import open_gguf
from diagen.preflight.models import run_diffusion
from diagen.preflight.report import Report

CPU = torch.device("cpu")
Weights = dict[str, Tensor]
PATCH_14 = """
import torch

class Tiny(torch.nn.Module):
    patch_size = 14

    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 8, 14, 14)

    def forward(self, images):
        assert images.shape[-1] % 14 == 0, "Input image width is not a multiple of patch width 14"
        return self.patches(images).mean((2, 3))

def tiny(**options):
    return Tiny()

def flat(**options):
    return torch.nn.Identity()

def broken(**options):
    return torch.nn.Linear(7, 7)

def nothing(**options):
    return None

def leaving(**options):
    raise SystemExit("needs a GPU")
"""


@pytest.fixture
def models(tmp_path: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the stand-ins to change, in the working directory."""
    shutil.copytree(stand_ins, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return Path("models")


@pytest.fixture
def mapping(models: Path) -> dict[str, Any]:
    """The tiny configuration, for the models in the working directory."""
    tiny = yaml.safe_load((Path(__file__).parents[2] / "workflow/tiny.yaml").read_text("utf-8"))
    shutil.copytree(Path(__file__).parents[3] / "config/instructions", "config/instructions")
    return copy.deepcopy(tiny)


def run(mapping: dict[str, Any]) -> Report:
    config = load_config(mapping, "mine.yaml", check_files=False)
    folders = {"results": Path("results/tiny"), "store": Path("results/store")}
    return check(config, name="mine.yaml", planned="Job stats:\nall  1\n", gpus=1, **folders)


def change_weights(file: Path, change: Callable[[Weights], Weights]) -> None:
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def change_json(file: Path, **values: object) -> None:
    content = json.loads(file.read_text("utf-8")) | values
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), "utf-8")


def half(weights: Weights) -> Weights:
    return dict(list(weights.items())[: len(weights) // 2])


def foreign(weights: Weights) -> Weights:
    return {**weights, "foreign.weight": torch.zeros(2)}


def reshaped(weights: Weights) -> Weights:
    name = max(name for name in weights if name.endswith("weight"))
    return {**weights, name: torch.zeros(3, 5, 7)}


def write_unet(folder: Path, **options: Any) -> None:
    """Replace the stand-in's UNet by one of the same shape, except for `options`."""
    config = UNet2DConditionModel.load_config(folder)
    shutil.rmtree(folder)
    UNet2DConditionModel.from_config(config, **options).half().save_pretrained(folder)


def sdxl(folder: Path) -> None:
    write_unet(
        folder,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
    )


def load_stable_diffusion(folder: Path) -> None:
    load_diffusion(DiffusionModel(path=str(folder), image_size=32), CPU)


def test_problems_of_all_kinds_of_models_are_reported_in_one_go(mapping: dict[str, Any]) -> None:
    """An SDXL-like UNet, an image size between DINOv2's patches, and a missing GGUF file, beside a missing folder."""
    sdxl(Path("models/stable_diffusion/unet"))
    Path("models/dinov2/hubconf.py").write_text(PATCH_14)
    mapping["models"]["features"] = {"path": "models/dinov2", "entry_point": "tiny", "image_size": 256}
    mapping["models"]["llama"]["path"] = "models/nowhere.gguf"
    mapping["datasets"]["mine"] = {"adapter": "image_folder", "root": "nowhere"}
    report = run(mapping)
    expected = (
        "models.diffusion: models/stable_diffusion is no complete Stable Diffusion 1.x or 2.x: it needs other "
        "conditions than one text (addition_embed_type: text_time), as Stable Diffusion XL, an upscaler or a latent "
        "consistency model does; unet/ reads text states of width 64, but those of text_encoder/ have 32. ",
        "models.features: no support for images of 256 pixels: its patches have 14. Set `image_size` to a multiple of "
        "14, such as 252 or 266",
        "`models.llama.path`: no file or folder models/nowhere.gguf",
        "`datasets.mine.root`: no folder nowhere",
    )
    for text in expected:
        assert sum(problem.startswith(text) for problem in report.problems) == 1, (text, report.problems)
    assert len(report.problems) == len(expected)
    assert all("\n" not in problem for problem in report.problems)
    assert any("backbone: models/resnet loads" in fact for fact in report.facts), "the other model is checked"


PARTS = {
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (half, "lacks weights of its architecture"),
        (foreign, r"has weights that its architecture lacks \(1: foreign\.weight\)"),
        (reshaped, r"has weights of another shape|expected shape .* but got"),
    ],
)
def test_weights_that_do_not_fit_stable_diffusion(models: Path, part: str, change: Callable, problem: str) -> None:
    folder = models / "stable_diffusion"
    change_weights(folder / PARTS[part], change)
    with pytest.raises(InputError, match=rf"^models\.diffusion: {folder} .*{part}/.*({problem})"):
        load_stable_diffusion(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: write_unet(folder / "unet", in_channels=9), r"unet/ maps 9 channels to 4, .* have 4"),
        (lambda folder: write_unet(folder / "unet", cross_attention_dim=48), "text states of width 48, .* have 32"),
        (lambda folder: write_unet(folder / "unet", num_class_embeds=10), r"\(num_class_embeds: 10\)"),
        (lambda folder: write_unet(folder / "unet", time_cond_proj_dim=16), r"\(time_cond_proj_dim: 16\)"),
        (lambda folder: (folder / "text_encoder_2").mkdir(), r"\(text_encoder_2/\)"),
        (lambda folder: (folder / "tokenizer/vocab.json").unlink(), "tokenizer/"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer/ has no vocabulary"),
        (lambda folder: shutil.rmtree(folder / "vae"), r"vae/ \(Error no file named config\.json"),
        (
            lambda folder: change_json(folder / "scheduler/scheduler_config.json", beta_schedule=None),
            r"scheduler/ has no noise schedule \(`beta_schedule`\)",
        ),
        (
            lambda folder: change_json(folder / "scheduler/scheduler_config.json", prediction_type="sample"),
            "prediction type `sample` instead of",
        ),
        (
            lambda folder: change_json(folder / "scheduler/scheduler_config.json", rescale_betas_zero_snr=True),
            r"scheduler/ rescales its noise schedule .* \(`rescale_betas_zero_snr`\), but PNDM does not",
        ),
    ],
)
def test_parts_that_are_not_those_of_stable_diffusion(models: Path, change: Callable, problem: str) -> None:
    folder = models / "stable_diffusion"
    change(folder)
    with pytest.raises(InputError, match=problem):
        load_stable_diffusion(folder)


def rename_weights(folder: Path, variant: str, shard: str = "") -> None:
    """Give all files of weights of Stable Diffusion a variant, before or after the number of a `shard`."""
    for name in PARTS.values():
        file = folder / name
        file.rename(file.with_name(f"{file.stem}{shard}.{variant}.safetensors"))


@pytest.mark.parametrize("shard", ["", "-00001-of-00001"])
def test_weights_of_a_variant_that_is_not_configured(models: Path, shard: str) -> None:
    folder = models / "stable_diffusion"
    rename_weights(folder, "fp16", shard)
    with pytest.raises(InputError, match=rf"\)\. Set `variant: fp16` in `models\.diffusion`, .* in {folder}/vae$"):
        load_stable_diffusion(folder)
    with pytest.raises(InputError, match=r"\)\. Set `variant: fp16` in `models\.diffusion`"):
        load_diffusion(DiffusionModel(path=str(folder), image_size=32, variant="bf16"), CPU)


def test_a_variant_that_the_files_lack(models: Path) -> None:
    folder = models / "stable_diffusion"
    whole = DiffusionModel(path=str(folder), image_size=32, variant="fp16")
    with pytest.raises(InputError, match=r"\)\. Remove `variant: fp16` from `models\.diffusion`: the files of "):
        load_diffusion(whole, CPU)
    rename_weights(folder, "fp16")
    load_diffusion(whole, CPU)
    (folder / PARTS["vae"]).with_suffix(".fp16.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"\)\. Restore its files, or name a folder"):
        load_diffusion(whole, CPU)


@pytest.mark.parametrize(
    ("edges", "warned"), [(8, None), ([8, 8], None), (None, None), ([8, 16], None), (16, 64), ([4, 4], 16)]
)
def test_another_image_size_than_that_of_the_training_is_a_warning(
    mapping: dict[str, Any], edges: object, warned: int | None
) -> None:
    """The stand-in's VAE reduces 4 pixels to one latent."""
    change_json(Path("models/stable_diffusion/unet/config.json"), sample_size=edges)
    report = run(mapping)
    found = [text for text in report.warnings if "models.diffusion.image_size" in text]
    text = "`models.diffusion.image_size`: 32, but the model was trained with {0} pixels; set it to {0} for the model's"
    assert report.problems == []
    assert found == ([f"{text.format(warned)} quality"] if warned else [])


def test_the_shipped_stable_diffusion_has_the_configured_image_size() -> None:
    folder = Path("demo/models/stable_diffusion")
    unet, vae = (json.loads((folder / part / "config.json").read_text("utf-8")) for part in ("unet", "vae"))
    for file in Path("config").glob("*.yaml"):
        model = yaml.safe_load(file.read_text("utf-8")).get("models", {}).get("diffusion", {})
        if model.get("path") == str(folder):
            assert trained_size_warning(unet, vae, model["image_size"]) is None


def test_a_tokenizer_of_another_text_encoder_is_refused(models: Path) -> None:
    file = models / "stable_diffusion/tokenizer/vocab.json"
    vocabulary = json.loads(file.read_text("utf-8"))
    more = {f"more{number}</w>": len(vocabulary) + number for number in range(5)}
    file.write_text(json.dumps(vocabulary | more), "utf-8")
    with pytest.raises(InputError, match=rf"tokenizer/ has {len(vocabulary) + 5} tokens, but text_encoder/ knows"):
        load_stable_diffusion(models / "stable_diffusion")


def test_weights_under_older_names_are_complete(models: Path) -> None:
    """Stable Diffusion v1-4 names the VAE's attention and the text encoder's layers as libraries did in 2022."""
    renamed = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def older_vae(weights: Weights) -> Weights:
        def older(name: str) -> str:
            for new, old in renamed.items():
                name = name.replace(new, old)
            return name

        return {older(name): value for name, value in weights.items()}

    def older_text(weights: Weights) -> Weights:
        plain = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in weights.items()}
        return plain | {"text_model.embeddings.position_ids": torch.arange(32)[None]}

    before = load_diffusion(DiffusionModel(path=str(models / "stable_diffusion"), image_size=32), CPU)
    change_weights(models / "stable_diffusion" / PARTS["vae"], older_vae)
    change_weights(models / "stable_diffusion" / PARTS["text_encoder"], older_text)
    assert any(".query." in name for name in load_file(models / "stable_diffusion" / PARTS["vae"]))
    after = load_diffusion(DiffusionModel(path=str(models / "stable_diffusion"), image_size=32), CPU)
    for part in ("vae", "text_encoder"):
        old, new = getattr(before, part).state_dict(), getattr(after, part).state_dict()
        assert old.keys() == new.keys() and all(torch.equal(old[name], new[name]) for name in old)


def test_a_tokenizer_without_a_maximum_has_that_of_the_text_encoder(models: Path) -> None:
    change_json(models / "stable_diffusion/tokenizer/tokenizer_config.json", model_max_length=None)
    diffusion = load_diffusion(DiffusionModel(path=str(models / "stable_diffusion"), image_size=32), CPU)
    assert diffusion.tokenizer.model_max_length == diffusion.text_encoder.config.max_position_embeddings == 32
    assert tokenize(diffusion.tokenizer, ["a photo"], ["<x>"], 1).ids.shape == (1, 32)
    run_diffusion(diffusion)


def test_words_with_more_vectors_than_places(mapping: dict[str, Any]) -> None:
    diffusion = load_diffusion(DiffusionModel(path="models/stable_diffusion", image_size=32), CPU)
    with pytest.raises(InputError) as caught:
        require_room(diffusion.tokenizer, 32)
    most = int(str(caught.value).rsplit(" ", 1)[1])
    assert str(caught.value).startswith("embeddings.<name>.vectors: 32 vectors and ")
    require_room(diffusion.tokenizer, most)
    texts = [template.format("<x>") for template in TEMPLATES]
    tokenize(diffusion.tokenizer, texts, ["<x>"] * len(texts), most)
    with pytest.raises(InputError, match="too long"):
        tokenize(diffusion.tokenizer, texts, ["<x>"] * len(texts), most + 1)

    mapping["embeddings"]["paper"]["vectors"] = most + 1
    diffusion_model = {"path": "models/stable_diffusion", "image_size": 32}
    settings = LearnEmbeddingsSettings(embedding={"vectors": most + 1}, diffusion=diffusion_model)
    options = {"words_together": 1, "shards": 1, "shard": None, "device": CPU, "micro_batch": 1}
    guides = [Shot("guide", "car", 0, "car.png", "0" * 64)]
    with pytest.raises(InputError, match=rf"^embeddings\.<name>\.vectors: {most + 1} vectors .* at most {most}$"):
        learn_cell(guides, Cell("world", 0, 1), settings, Path("store"), **options)

    (problem,) = run(mapping).problems
    assert problem.startswith(f"embeddings.paper.vectors: {most + 1} vectors") and problem.endswith(f"at most {most}")


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("vae", "in float32, the VAE's latents of these photos are not finite"),
        ("unet", "unet/ computes values that are not finite in float32"),
        ("text_encoder", "text_encoder/ computes values that are not finite in float32"),
    ],
)
def test_weights_that_are_not_finite(models: Path, part: str, problem: str) -> None:
    def spoil(weights: Weights) -> Weights:
        return {name: torch.full_like(value, float("nan")) for name, value in weights.items()}

    change_weights(models / "stable_diffusion" / PARTS[part], spoil)
    diffusion = load_diffusion(DiffusionModel(path=str(models / "stable_diffusion"), image_size=32), CPU)
    with pytest.raises(InputError, match=rf"^models\.diffusion: {problem}"):
        run_diffusion(diffusion)


# ---------------------------------------------------------------- backbones


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (half, "lacks weights of its architecture"),
        (lambda weights: {**weights, "resnet.foreign": torch.zeros(1)}, r"lacks \(1: resnet\.foreign\)"),
        (reshaped, "has weights of another shape than its architecture"),
    ],
)
def test_weights_that_do_not_fit_a_backbone(models: Path, change: Callable, problem: str) -> None:
    change_weights(models / "resnet/model.safetensors", change)
    with pytest.raises(
        InputError, match=rf"^models\.backbone: models/resnet is no complete image classifier: .*{problem}"
    ):
        load_backbone(BackboneModel(path=str(models / "resnet")), CPU)


def test_the_replaced_head_may_lack_or_differ(models: Path) -> None:
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = load_backbone(BackboneModel(path=str(models / "resnet")), CPU)(pixels)
    file = models / "resnet/model.safetensors"
    whole = load_file(file)
    body = {name: value for name, value in whole.items() if name.startswith("resnet.")}
    assert len(body) < len(whole)
    other = {"decoder.weight": torch.zeros(2)}  # the head of another task
    without_counts = {name: value for name, value in whole.items() if not name.endswith("num_batches_tracked")}
    wider = {
        name: torch.zeros(9, *value.shape[1:]) if name.startswith("classifier") else value
        for name, value in whole.items()
    }
    for weights in (body, body | other, without_counts, wider):
        save_file(weights, file, metadata={"format": "pt"})
        torch.testing.assert_close(load_backbone(BackboneModel(path=str(models / "resnet")), CPU)(pixels), expected)


def test_a_backbone_that_needs_a_missing_package(models: Path) -> None:
    config = {"model_type": "timm_wrapper", "architecture": "resnet18", "num_classes": 2}
    (models / "resnet/config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=r"Install the Python package that it needs: \.venv/bin/python -m pip install timm$"
    ):
        load_backbone(BackboneModel(path=str(models / "resnet")), CPU)


def test_the_shipped_backbone_is_complete() -> None:
    AutoModelForImageClassification.from_pretrained("demo/models/resnet")
    load_backbone(BackboneModel(path="demo/models/resnet"), CPU)


# ---------------------------------------------------------------- feature extractors


def features(models: Path, entry_point: str, image_size: int = 28) -> dict[str, Any]:
    (models / "dinov2/hubconf.py").write_text(PATCH_14)
    return {"path": str(models / "dinov2"), "entry_point": entry_point, "image_size": image_size}


@pytest.mark.parametrize("size", [13, 27, 29, 256])
def test_image_sizes_between_patches(models: Path, size: int) -> None:
    load_feature_extractor(FeatureModel(**features(models, "tiny")), CPU)
    with pytest.raises(InputError, match=rf"no support for images of {size} pixels: its patches have 14\. Set "):
        load_feature_extractor(FeatureModel(**features(models, "tiny", size)), CPU)


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("flat", "models.features: it returns a tensor [1, 3, 28, 28] for an image instead of features [1, D]"),
        ("broken", "models.features: no support for images of 28 pixels (mat1 and mat2 shapes cannot be multiplied"),
        ("nothing", "models.features: entry point `nothing` cannot be loaded (it returns NoneType instead of a module"),
        (
            "leaving",
            "models.features: entry point `leaving` cannot be loaded (it ends Python by sys.exit(needs a GPU)).",
        ),
    ],
)
def test_extractors_that_fail_on_an_image(mapping: dict[str, Any], entry_point: str, problem: str) -> None:
    mapping["models"]["features"] = features(Path("models"), entry_point)
    (found,) = run(mapping).problems
    assert found.startswith(problem) and "\n" not in found


@pytest.mark.parametrize("code", ["dependencies = ['no_such_package']\n", "import no_such_package.ops\n"])
def test_an_extractor_that_needs_a_missing_package(models: Path, code: str) -> None:
    source = FeatureModel(**features(models, "tiny"))
    (models / "dinov2/hubconf.py").write_text(code + PATCH_14)
    with pytest.raises(
        InputError, match=r"^models\.features: .* needs: \.venv/bin/python -m pip install no_such_package$"
    ):
        load_feature_extractor(source, CPU)


@pytest.mark.parametrize("change", [half, foreign, reshaped])
def test_named_weights_that_do_not_fit(models: Path, change: Callable) -> None:
    source = features(models, "tiny") | {"weights": "weights.safetensors"}
    weights = {"patches.weight": torch.zeros(8, 3, 14, 14), "patches.bias": torch.zeros(8)}
    save_file(weights, models / "dinov2/weights.safetensors")
    load_feature_extractor(FeatureModel(**source), CPU)
    save_file(change(weights), models / "dinov2/weights.safetensors")
    with pytest.raises(InputError, match=r"^models\.features: entry point `tiny` cannot be loaded \(Error"):
        load_feature_extractor(FeatureModel(**source), CPU)


# ---------------------------------------------------------------- language models


def copy_gguf(source: Path, target: Path, change: Callable[[str, Any], Any]) -> None:
    """Copy a GGUF file; `change` returns the values of each tensor, or `None` to drop it."""
    import gguf

    reader, writer = gguf.GGUFReader(source), gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            kind = field.types[0]
            inner = {"sub_type": field.types[-1]} if kind == gguf.GGUFValueType.ARRAY else {}
            writer.add_key_value(field.name, field.contents(), kind, **inner)
    for tensor in reader.tensors:
        values = change(tensor.name, tensor.data.copy())
        if values is not None:
            writer.add_tensor(tensor.name, values, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_files_without_a_tensor_or_with_damaged_ones(models: Path) -> None:
    whole = models / "llama.gguf"
    copy_gguf(whole, models / "copy.gguf", lambda name, values: values)
    open_gguf(models / "copy.gguf")
    copy_gguf(whole, models / "less.gguf", lambda name, values: None if name == "blk.1.ffn_up.weight" else values)
    with pytest.raises(InputError, match=r"less\.gguf: llama\.cpp cannot load it \(.*blk\.1\.ffn_up\.weight"):
        open_gguf(models / "less.gguf")
    spoiled = ("output_norm.weight",)
    copy_gguf(whole, models / "nan.gguf", lambda name, values: values * float("nan") if name in spoiled else values)
    with pytest.raises(InputError, match=r"nan\.gguf: its predictions are not finite"):
        open_gguf(models / "nan.gguf")

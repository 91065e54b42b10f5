"""`download_models` with a server on loopback: what it downloads, verifies and reports."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, LlamaModel
from diagen.errors import InputError
from diagen.files.checksums import checksum, verify
from diagen.models.backbones import load_backbone, load_feature_extractor
from diagen.models.diffusion import load_diffusion
from diagen.models.downloads import needed_files
from diagen.prompts.llama import load_language_model
from tests.hub import COMMIT, Hub, named, sha256

PROGRAM = Path("workflow_scripts/download_models.py").resolve()
CPU = torch.device("cpu")


def download(folder: Path, hub: Hub, models: dict[str, dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Run the program in `folder`, with access to the server only."""
    settings = json.dumps({"models": models})
    command = [sys.executable, str(PROGRAM), "--settings", settings]
    environment = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    environment |= {"HF_ENDPOINT": hub.url, "GITHUB_ENDPOINT": hub.url, "HF_HOME": str(folder / "hub_home")}
    result = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
    assert "Traceback" not in result.stderr
    return result


def problems(folder: Path, hub: Hub, models: dict[str, dict[str, Any]]) -> list[str]:
    result = download(folder, hub, models)
    assert result.returncode == 2
    return re.findall(r"^  - (.*)$", result.stderr, re.MULTILINE)


def test_everything_is_downloaded_once_and_loads(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    models = named(hub)
    result = download(tmp_path, hub, models)
    assert result.returncode == 0, result.stderr
    monkeypatch.chdir(tmp_path)
    diffusion, llama = DiffusionModel(**models["diffusion"]), LlamaModel(**models["llama"])
    features, backbone = FeatureModel(**models["features"]), BackboneModel(**models["backbone"])
    for model in (diffusion, llama, features, backbone):
        verify(model)
        assert f"{model.location}, sha256: {checksum(model.location)}" in result.stdout
    load_diffusion(diffusion, CPU)
    load_language_model(llama, threads=1, gpu=False)
    assert load_backbone(backbone, CPU)(torch.zeros(1, 3, 32, 32)).ndim == 2
    assert load_feature_extractor(features, CPU)(torch.zeros(1, 3, 32, 32)).ndim == 2

    fetched = {path.name for path in (tmp_path / "models").rglob("*") if path.is_file()}
    assert not fetched & {"README.md", "pytorch_model.bin", "diffusion_pytorch_model.bin", "other.gguf"}
    assert not list((tmp_path / "models").rglob(".*")), "temporary files of the download are removed"
    hub.requests.clear()
    assert download(tmp_path, hub, models).returncode == 0
    assert hub.requests == [], "existing models are not requested again"


def test_existing_models_are_verified_again(tmp_path: Path, hub: Hub) -> None:
    models = named(hub)
    download(tmp_path, hub, models)
    file = tmp_path / BackboneModel(**models["backbone"]).location / "config.json"
    file.write_text("{}")
    (problem,) = problems(tmp_path, hub, models)
    assert "config.json: differs from SHA256SUMS" in problem and "download_models" in problem


def test_all_problems_are_reported_together_and_no_partial_model_remains(tmp_path: Path, hub: Hub) -> None:
    models = named(hub)
    unet = "unet/diffusion_pytorch_model.safetensors"
    wrong = hub.repositories["some/diffusion"][unet][:-1] + b"!"
    hub.replaced[unet] = wrong
    hub.missing.add("config.json")
    hub.breaks["weights/dinov2.pth"] = 1
    models["llama"]["file"] = "lama.gguf"
    diffusion, llama, features, backbone = problems(tmp_path, hub, models)
    assert unet in diffusion and sha256(wrong) in diffusion and "the hub lists" in diffusion
    assert "no file lama.gguf. Set `file` to one that it has: llama.gguf, other.gguf" in llama
    assert "dinov2.pth ended after" in features
    assert "lists config.json, but does not provide it" in backbone
    assert not [path for path in (tmp_path / "models").iterdir() if not path.name.startswith(".")]

    hub.replaced.clear()
    hub.missing.clear()
    models["llama"]["file"] = "llama.gguf"
    hub.requests.clear()
    assert download(tmp_path, hub, models).returncode == 0
    again = [path for path in hub.requests if "text_encoder" in path]
    assert again == [], "complete files are not downloaded again"


def test_an_interrupted_connection_continues_where_it_ended(tmp_path: Path, hub: Hub) -> None:
    hub.breaks["llama.gguf"] = 1
    models = named(hub)
    result = download(tmp_path, hub, models)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / LlamaModel(**models["llama"]).location).read_bytes() == hub.repositories["some/llama"][
        "llama.gguf"
    ]


def test_a_connection_that_keeps_breaking_is_reported(tmp_path: Path, hub: Hub) -> None:
    hub.breaks["llama.gguf"] = 100
    (problem,) = problems(tmp_path, hub, named(hub))
    assert problem.startswith("models.llama: some/llama cannot be downloaded (") and "download again" in problem


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("backbone", {"repository": "some/none"}, "some/none is not on the hub"),
        ("backbone", {"revision": "f" * 40}, f"some/resnet has no revision {'f' * 40}"),
        ("backbone", {"sha256": "0" * 64}, f"the configuration names {'0' * 64}"),
        ("diffusion", {"variant": "fp16"}, "lacks unet/diffusion_pytorch_model.fp16.safetensors"),
        ("features", {"revision": "f" * 40}, f"{'f' * 40}.zip cannot be downloaded (404"),
        ("features", {"weights": "{url}/none.pth"}, "none.pth cannot be downloaded (404"),
        ("llama", {"repository": None, "revision": None, "file": None, "path": "none.gguf"}, "none.gguf: no such file"),
    ],
    ids=["repository", "revision", "checksum", "variant", "commit", "weights", "local"],
)
def test_each_error_is_reported(tmp_path: Path, hub: Hub, name: str, change: dict[str, Any], message: str) -> None:
    models = named(hub)
    models[name] |= {key: value.replace("{url}", hub.url) if value else value for key, value in change.items()}
    (problem,) = problems(tmp_path, hub, models)
    assert message in problem


def test_no_network(tmp_path: Path, hub: Hub) -> None:
    models = named(hub)
    hub.url = "http://127.0.0.1:9"  # nothing listens there
    models = {name: models[name] for name in ("diffusion", "features", "backbone")}
    assert all("Check the network" in problem for problem in problems(tmp_path, hub, models))


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path, hub: Hub) -> None:
    hub.archives["research/dinov2"] |= {"../../../outside.py": b"x", "../inside.py": b"x"}
    download(tmp_path, hub, named(hub))
    assert not list(tmp_path.rglob("outside.py"))


def test_weights_of_a_variant_and_in_several_files() -> None:
    files = [
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "text_encoder/model.fp16-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
        "text_encoder/pytorch_model.fp16.bin",
        "safety_checker/model.fp16.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "model_index.json",
        "v1-4.ckpt",
    ]
    half = DiffusionModel(repository="a/b", revision=COMMIT, variant="fp16")
    assert set(needed_files(half, files)) == set(files) - {
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/pytorch_model.fp16.bin",
        "safety_checker/model.fp16.safetensors",
        "v1-4.ckpt",
    }
    with pytest.raises(InputError, match=r"lacks .*\.safetensors\. .*other formats are not downloaded"):
        needed_files(DiffusionModel(repository="a/b", revision=COMMIT), files)


def test_each_part_of_a_repository_has_its_own_folder() -> None:
    places = {
        str(model.location)
        for model in (
            DiffusionModel(repository="a/b", revision=COMMIT),
            DiffusionModel(repository="a/b", revision=COMMIT, variant="fp16"),
            DiffusionModel(repository="a/b", revision=COMMIT[::-1]),
            LlamaModel(repository="a/b", revision=COMMIT, file="x/m.Q4_K_M.gguf"),
            FeatureModel(repository="a/b", revision=COMMIT, entry_point="dinov2_vits14"),
            BackboneModel(repository="a/b", revision=COMMIT, file="model.safetensors"),
        )
    }
    assert len(places) == 6
    assert "models/a--b--0123456789ab--m.Q4_K_M/x/m.Q4_K_M.gguf" in places


def test_stages_never_contact_a_hub() -> None:
    script = "import diagen.runtime.execution, huggingface_hub.constants as c; assert c.HF_HUB_OFFLINE"
    environment = {**os.environ, "PYTHONPATH": "workflow_scripts", "HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)

"""Models of a hub in the real workflow: downloaded, checked before a run, and read without a network."""

import pytest
from diffusers import UNet2DConditionModel

from tests.hub import Hub, named
from tests.workflow.project import Project

NOWHERE = "http://127.0.0.1:9"  # nothing answers there


@pytest.fixture
def project(fresh: Project, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without models, whose configuration names them all by repository."""
    fresh.configure(lambda config: config.update(models=named(hub)))
    for path in sorted((fresh.folder / "models").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("GITHUB_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(fresh.folder / "hub_home"))
    return fresh


def test_from_no_models_to_results_without_network(project: Project, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.plan(), "a dry run needs no models"

    images = "results/tiny/world/images.csv"
    refused = project.snakemake("--cores", "1", images)
    assert refused.returncode != 0 and "Traceback" not in refused.stdout
    assert "snakemake --cores 1 download_models --configfile config/tiny.yaml" in refused.stdout
    assert "models.backbone: models/some--resnet--" in refused.stdout
    assert not (project.folder / images).exists()

    report = project.snakemake("--cores", "1", "preflight")
    assert report.returncode != 0 and "NOT READY: 4 problems" in report.stdout, report.stdout

    project.make("--cores", "1", "download_models")
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    monkeypatch.setenv("GITHUB_ENDPOINT", NOWHERE)
    hub.requests.clear()
    ready = project.snakemake("--cores", "1", "preflight")
    assert ready.returncode == 0 and "Ready to run." in ready.stdout, ready.stdout
    assert "2 generate_images" in ready.stdout
    cell = "results/tiny/world/seed7/shots2"
    made = [
        "results/tiny/world/features.npy",
        "results/tiny/world/prompts/paper.csv",
        f"{cell}/embeddings/paper.safetensors",
        f"{cell}/downstream/standard/metrics.json",
    ]
    project.make("--cores", "1", *made)
    assert hub.requests == []
    assert "some/resnet@" in (project.folder / made[-1]).read_text("utf-8")


def test_preflight_reports_missing_files_that_stop_every_other_run(fresh: Project) -> None:
    fresh.configure(lambda config: config["models"]["llama"].update(path="nowhere.gguf"))
    fresh.configure(lambda config: config["datasets"].update(mine={"adapter": "image_folder", "root": "nowhere"}))
    report = fresh.snakemake("--cores", "1", "preflight")
    assert report.returncode != 0 and "Traceback" not in report.stdout
    for problem in ("no file or folder nowhere.gguf", "no folder nowhere", "NOT READY: 2 problems"):
        assert problem in report.stdout, report.stdout
    assert "backbone: models/resnet loads" in report.stdout, "the other checks run"


def test_preflight_prints_the_problems_of_all_models_once_and_last(fresh: Project) -> None:
    """An SDXL-like UNet, an image size between patches and a missing file, which all stop other runs later."""
    unet = fresh.folder / "models/stable_diffusion/unet"
    (fresh.folder / "models/SHA256SUMS").unlink()  # a user's own model has no list of hashes
    other = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "cross_attention_dim": 64}
    other |= {"projection_class_embeddings_input_dim": 80}
    UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(unet), **other).save_pretrained(unet)
    fresh.configure(lambda config: config["models"]["features"].update(image_size=33))
    fresh.configure(lambda config: config["models"]["llama"].update(path="nowhere.gguf"))
    report = fresh.snakemake("--cores", "1", "preflight")
    assert report.returncode == 1
    for problem in (
        "problem: models.diffusion: models/stable_diffusion is no complete Stable Diffusion 1.x or 2.x: "
        "it needs other conditions than one text (addition_embed_type: text_time)",
        "problem: models.features: no support for images of 33 pixels",
        "problem: `models.llama.path`: no file or folder nowhere.gguf",
        "NOT READY: 3 problems",
    ):
        assert report.stdout.count(problem) == 1, report.stdout
    assert report.stdout.endswith("NOT READY: 3 problems, see above.\n")
    for noise in ("Traceback", "RuleException", "CalledProcessError", "preflight.py", "LOAD REPORT"):
        assert noise not in report.stdout, report.stdout

    words = "results/tiny/world/seed7/shots2/embeddings/paper.safetensors"
    fresh.configure(lambda config: config["models"]["llama"].update(path="models/llama.gguf"))
    job = fresh.snakemake("--cores", "1", "--retries", "0", words)
    assert job.returncode != 0 and "Traceback" not in job.stdout
    assert "error: models.diffusion: models/stable_diffusion is no complete Stable Diffusion" in job.stdout

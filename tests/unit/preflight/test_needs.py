"""Time and memory that jobs request: more for more work, and more on each attempt."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from diagen.config import Config, load_config
from diagen.preflight.estimate import ImageCounts
from diagen.preflight.needs import BEFORE_INDEXED, Needs

PAPER = Path("config/paper.yaml").resolve()
CELL = {"dataset": "photos", "seed": "0", "shots": "4"}
JOBS = {
    "write_prompts": {"dataset": "photos", "prompt_set": "paper"},
    "learn_embeddings": {**CELL, "embedding": "paper"},
    "generate_images": {**CELL, "generator": "diagen"},
    "train_guide_classifier": {**CELL, "guide_classifier": "paper"},
    "score_images": {**CELL, "generator": "diagen", "weighting": "paper"},
    "train_downstream": {**CELL, "method": "diagen"},
    "extract_features": {**CELL, "generator": "diagen"},
    "extract_real_features": {"dataset": "photos"},
    "draw_noise_ladder": {"dataset": "photos"},
}


def config(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Config:
    """The paper's configuration on photos of a user, changed."""
    mapping = yaml.safe_load(PAPER.read_text("utf-8"))
    mapping["datasets"] = {"photos": {"adapter": "image_folder", "root": "photos"}}
    change(mapping)
    return load_config(mapping, "some.yaml", check_files=False)


def needs_in(folder: Path, values: Config) -> Needs:
    """The needs of an experiment with its tables in `folder`."""
    return Needs(values, lambda dataset: folder / dataset / "images.csv")


@pytest.mark.parametrize("rule", JOBS)
def test_each_attempt_requests_more(rule: str, tmp_path: Path) -> None:
    needs = needs_in(tmp_path, config())
    for ask in (needs.minutes, needs.megabytes):
        first, second, third = (ask(rule, JOBS[rule], attempt) for attempt in (1, 2, 3))
        assert 0 < first < second < third


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("learn_embeddings", lambda c: c["embeddings"]["paper"].update(steps=4000)),
        ("learn_embeddings", lambda c: c["models"]["diffusion"].update(image_size=1024)),
        ("generate_images", lambda c: c["generators"]["diagen"].update(inference_steps=200)),
        ("generate_images", lambda c: c["generators"]["diagen"].update(images_per_guide=40)),
        ("generate_images", lambda c: c["execution"].update(device="cpu")),
        ("train_downstream", lambda c: c["downstream"].update(epochs=200)),
        ("extract_features", lambda c: c["generators"]["diagen"].update(images_per_guide=100)),
        ("write_prompts", lambda c: c["prompts"]["paper"].update(per_class=40)),
    ],
)
def test_more_work_requests_more_time(rule: str, change: Callable, tmp_path: Path) -> None:
    plain, more = (needs_in(tmp_path, values).minutes(rule, JOBS[rule], 1) for values in (config(), config(change)))
    assert more > plain


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("generate_images", lambda c: c["execution"].update(shards=4)),
        ("generate_images", lambda c: c["execution"].update(device="cpu")),
        ("train_downstream", lambda c: c["generators"]["diagen"].update(images_per_guide=100)),
        (
            "train_downstream",
            lambda c: c.update(
                methods={"diagen": c["methods"]["diagen"]}, recipes={}, downstream={"cached_views": 100}
            ),
        ),
        ("write_prompts", lambda c: c["models"]["llama"].update(context=8192)),
    ],
)
def test_weights_and_images_request_memory(rule: str, change: Callable, tmp_path: Path) -> None:
    plain, more = (needs_in(tmp_path, values).megabytes(rule, JOBS[rule], 1) for values in (config(), config(change)))
    assert more > plain


def test_learning_words_on_the_cpu_requests_memory_for_its_passes(tmp_path: Path) -> None:
    """With one image per pass, encoding needs little; 8 words are learned in passes of up to 16 GB."""

    def megabytes(device: str, words: int) -> int:
        def change(mapping: dict[str, Any]) -> None:
            mapping["execution"].update(device=device, words_together=words, micro_batch=1)

        return needs_in(tmp_path, config(change)).megabytes("learn_embeddings", JOBS["learn_embeddings"], 1)

    assert megabytes("cpu", 8) - megabytes("cuda", 8) > 15_000
    assert megabytes("cpu", 8) > megabytes("cpu", 1) > megabytes("cuda", 1) + 10_000
    assert megabytes("cuda", 8) == megabytes("cuda", 1)


def test_the_size_of_existing_weights_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet").mkdir()
    values = config(lambda c: c["models"].update(backbone={"path": "resnet"}))
    before = needs_in(tmp_path, values).megabytes("score_images", JOBS["score_images"], 1)
    with open(tmp_path / "resnet/model.safetensors", "wb") as file:
        file.truncate(10**9)
    assert needs_in(tmp_path, values).megabytes("score_images", JOBS["score_images"], 1) == before + 2_000


def test_shards_share_the_time(tmp_path: Path) -> None:
    alone, shared = (
        needs_in(tmp_path, config(lambda c, n=n: c["execution"].update(shards=n))).minutes(
            "learn_embeddings", JOBS["learn_embeddings"], 1
        )
        for n in (1, 4)
    )
    assert shared < alone


def test_an_indexed_dataset_replaces_the_guess(tmp_path: Path) -> None:
    needs = needs_in(tmp_path, config())
    assert needs.counts("photos") == BEFORE_INDEXED
    guessed = needs.minutes("generate_images", JOBS["generate_images"], 1)
    table = tmp_path / "photos/images.csv"
    table.parent.mkdir()
    rows = [
        f"{name}.jpg,class {number},{split}"
        for number in range(80)
        for name, split in (("a", "train_val"), ("b", "test"))
    ]
    table.write_text("\n".join(["path,class,split", *rows, ""]), "utf-8")
    assert needs.counts("photos") == ImageCounts(80, {"train_val": 80, "test": 80})
    assert needs.minutes("generate_images", JOBS["generate_images"], 1) > guessed


def test_the_rules_import_no_torch() -> None:
    code = "import sys, diagen.preflight.needs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "workflow_scripts"}).returncode == 0

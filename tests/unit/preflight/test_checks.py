"""Preflight on stand-ins: a run that is ready, and all possible problems, reported together."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._inductor.config
import yaml
from PIL import Image

from demo.training import architectures
from demo.training.stand_ins import write_llama
from diagen.config import load_config
from diagen.data import photo_list
from diagen.data.images_file import write_images, write_skipped
from diagen.errors import InputError
from diagen.preflight import checks
from diagen.preflight.checks import Report, check, job_counts
from diagen.preflight.gguf import open_gguf
from tests.hub import COMMIT

STATS = """Building DAG of jobs...
Job stats:
job                 count
----------------  -------
draw_world_world        1
generate_images         2
preflight               1
all                     1
total                   5

Reasons:
    (check individual jobs above for details)
"""


@pytest.fixture
def mapping(tmp_path: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The tiny configuration in a folder of its own, with the stand-ins' models."""
    tiny = yaml.safe_load(Path("tests/workflow/tiny.yaml").read_text(encoding="utf-8"))
    shutil.copytree("config/instructions", tmp_path / "config/instructions")
    shutil.copytree(stand_ins, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return copy.deepcopy(tiny)


def run(mapping: dict[str, Any], planned: str = STATS, gpus: int = 1) -> Report:
    config = load_config(mapping, "mine.yaml", check_files=False)
    folders = {"results": Path("results/tiny"), "store": Path("results/store")}
    return check(config, name="mine.yaml", planned=planned, gpus=gpus, **folders)


def test_a_run_that_is_ready(mapping: dict[str, Any]) -> None:
    report = run(mapping)
    assert report.problems == []
    text = report.text()
    for fact in (
        "mine.yaml: valid",
        "world: 4 classes, 12 test, 8 test_uncommon, 20 train_val images",
        *(f"{name}: models/" for name in ("diffusion", "llama", "features", "backbone")),
        "3 to run: 1 draw_world_world, 2 generate_images",
        "for about 32 new images",
        "generate_images",
        "TFLOP/s and 1 CPU thread a job.",
        "Ready to run.",
    ):
        assert fact in text, text
    assert re.search(r"^generate_images +2 +[0-9.e-]+ +(<0\.01|\d+\.\d\d) ", text, re.MULTILINE), text


def test_all_problems_are_reported_together(mapping: dict[str, Any]) -> None:
    for number, (split, label) in enumerate([("train-val", "cat"), ("test", "cat"), ("train-val", "dog")]):
        path = Path("photos", split, label, f"{number}.png")
        path.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    Path("photos/train-val/Cat").mkdir()
    mapping["datasets"]["photos"] = {"adapter": "image_folder", "root": "photos"}
    mapping["datasets"]["absent"] = {"adapter": "image_folder", "root": "absent"}
    mapping["models"]["backbone"] = {"repository": "some/resnet", "revision": COMMIT}
    mapping["models"]["features"]["image_size"] = 33
    mapping["execution"]["device"] = "cuda"
    unet = Path("models/stable_diffusion/unet/diffusion_pytorch_model.safetensors")
    unet.write_bytes(unet.read_bytes()[:-100])
    Path("models/llama.gguf").write_bytes(b"GGUF")
    report = run(mapping, planned="MissingInputException in rule write_prompts: nowhere.txt")
    for part in (
        "`datasets.absent.root`: no folder absent",
        "`datasets.photos`: the class `dog` has 1 train-val images, and 2 shots need 3 (one validates)",
        "differ only in case",
        "models.diffusion: models/stable_diffusion cannot be loaded in diffusers' layout",
        "models.llama: models/llama.gguf: llama.cpp cannot load it",
        "models.features: no support for images of 33 pixels",
        f"models.backbone: models/some--resnet--{COMMIT[:12]}, downloaded from some/resnet, is missing; run `",
        "execution.device is `cuda`",
        "Snakemake cannot plan the jobs; fix what it reports: MissingInputException in rule write_prompts: nowhere.txt",
    ):
        assert sum(part in problem for problem in report.problems) == 1, (part, report.problems)
    assert report.text().endswith(f"NOT READY: {len(report.problems)} problems, see above.")


def test_classes_that_a_dataset_lacks(mapping: dict[str, Any]) -> None:
    photos(Path("photos"), "cat", "dog")
    for path in Path("photos/test/dog").iterdir():
        path.unlink()
    mapping["datasets"]["pets"] = {"adapter": "image_folder", "root": "photos"}
    mapping["datasets"]["cats"] = {"adapter": "image_folder", "root": "photos", "classes": ["cat"]}
    keep_the_last_epoch(mapping)
    config, report = load_config(mapping, "mine.yaml", check_files=False), Report()
    checks.check_datasets(config, Path("results/tiny"), report)
    (warning,), (problem,) = report.warnings, report.problems
    assert warning.startswith("`datasets.pets`: `test` has no images of `dog`; its mean accuracy leaves out")
    assert problem.startswith("`datasets.cats`: the dataset has one class, `cat`")


def keep_the_last_epoch(mapping: dict[str, Any]) -> None:
    """No warning of few validation images."""
    mapping["guide_classifiers"]["paper"]["selection"] = mapping["downstream"]["selection"] = "last"


def photos(root: Path, *labels: str) -> None:
    for split in ("train-val", "test"):
        for label in labels:
            for number in range(3):
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def write_coco(root: Path, categories: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    """A COCO whose parts have six images each; only its names are read."""
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(6)]
    (root / "annotations").mkdir(parents=True)
    for part in ("train2017", "val2017"):
        (root / part).mkdir()
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"annotations/instances_{part}.json").write_text(json.dumps(content))


def test_datasets_without_images_are_not_ready(mapping: dict[str, Any]) -> None:
    photos(Path("photos"), "cat", "dog")
    Path("photos/splits.csv").write_text("path,split,class\n")
    write_coco(Path("coco"), [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], [])
    mapping["datasets"]["table"] = {
        "adapter": "image_folder",
        "root": "photos",
        "split_table": "photos/splits.csv",
    }
    mapping["datasets"]["coco"] = {"adapter": "coco", "root": "coco"}
    report = Report()
    checks.check_datasets(load_config(mapping, "mine.yaml", check_files=False), Path("results/tiny"), report)
    assert [text.split(";")[0] for text in report.problems] == [
        "`datasets.table`: the dataset has no images",
        "`datasets.coco`: the dataset has no images",
    ]


def test_categories_that_are_one_class_are_a_warning(mapping: dict[str, Any]) -> None:
    categories = [{"id": 0, "name": "cat"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    annotations = [{"id": n, "image_id": n, "category_id": 1 + n % 2, "area": 1, "iscrowd": "0"} for n in range(6)]
    write_coco(Path("coco"), categories, annotations)
    mapping["datasets"] = {"coco": {"adapter": "coco", "root": "coco"}}
    keep_the_last_epoch(mapping)
    report = Report()
    counts = checks.check_datasets(load_config(mapping, "mine.yaml", check_files=False), Path("results/tiny"), report)
    assert report.problems == [] and counts["coco"].classes == 2
    assert [text.partition("json: ")[2] for text in report.warnings] == [
        "category 1: counts as the other category named `cat`; rename one if they differ"
    ] * 2


def test_a_dataset_whose_listing_fails_hides_nothing(mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in an adapter and a damaged table of images are simulated; the other dataset is still reported."""

    def fail(dataset: object) -> None:
        raise ValueError("'/a' is not in the subpath of '/b'")

    photos(Path("photos"), "cat", "dog")
    mapping["datasets"]["broken"] = {"adapter": "image_folder", "root": "photos"}
    mapping["datasets"]["indexed"] = {"adapter": "image_folder", "root": "photos"}
    mapping["datasets"]["absent"] = {"adapter": "image_folder", "root": "absent"}
    table = Path("results/tiny/indexed/images.csv")
    table.parent.mkdir(parents=True)
    table.write_text("damaged")
    changed = Path("results/tiny/changed")
    changed.mkdir()
    write_images([], changed / "images.csv")
    write_skipped([], changed / "skipped.csv")
    mapping["datasets"]["changed"] = {"adapter": "image_folder", "root": "photos"}
    monkeypatch.setattr(checks, "list_images", fail)
    monkeypatch.setattr(photo_list, "list_images", fail)
    report = run(mapping)
    for part in (
        "`datasets.broken`: its images cannot be listed ('/a' is not in the subpath of '/b'). Check its files",
        f"`datasets.indexed`: {table}",
        "`datasets.changed`: its images cannot be listed ('/a' is not in the subpath of '/b'). Check its files",
        "`datasets.absent.root`: no folder absent",
    ):
        assert sum(problem.startswith(part) for problem in report.problems) == 1, (part, report.problems)
    assert "world: 4 classes" in report.text()


def test_without_a_dataset_no_disk_space_is_estimated(mapping: dict[str, Any]) -> None:
    mapping["datasets"] = {"absent": {"adapter": "image_folder", "root": "absent"}}
    report = run(mapping)
    assert [problem for problem in report.problems if "absent" in problem] == report.problems != []
    assert "new images" not in report.text()


def test_schedules_are_checked_with_the_timesteps_of_the_model(mapping: dict[str, Any]) -> None:
    """3 steps of 1000 timesteps reach those of strength 1, and 3 steps of 5 do not."""
    mapping["generators"]["diagen"] |= {"inference_steps": 3, "strength": 1.0}
    mapping["generators"]["da_fusion"] |= {"inference_steps": 6, "strength": 1.0}
    assert run(mapping).problems == []
    file = Path("models/stable_diffusion/scheduler/scheduler_config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_train_timesteps": 5}))
    found = run(mapping).problems
    too_many = "the model has 5 timesteps, and a schedule at most as many; lower it"
    assert f"`generators.da_fusion.inference_steps`: {too_many}" in found
    assert any(
        "`generators.diagen.inference_steps`: a schedule of 3 steps, 1 of 5 timesteps" in problem for problem in found
    )


@pytest.mark.parametrize(("dtype", "warnings"), [("float16", 1), ("bfloat16", 0), ("float32", 0)])
def test_float16_on_the_cpu_is_a_warning(mapping: dict[str, Any], dtype: str, warnings: int) -> None:
    mapping["execution"] = {"device": "cpu"}
    mapping["models"]["diffusion"]["dtype"] = dtype
    report = Report()
    checks.check_precision(load_config(mapping, "mine.yaml", check_files=False), report)
    assert [text.startswith("`models.diffusion.dtype`: many CPUs") for text in report.warnings] == [True] * warnings
    assert report.problems == []


@torch._inductor.config.patch("cpp.cxx", ("no-such-compiler",))
def test_a_machine_that_cannot_compile_is_a_problem_if_compiling_is_set(mapping: dict[str, Any]) -> None:
    torch.compiler.reset()
    for compiling, problems in ((False, 0), (True, 1)):
        mapping["execution"] = {"device": "cpu", "compile": compiling}
        report = Report()
        checks.check_precision(load_config(mapping, "mine.yaml", check_files=False), report)
        assert [text.startswith("execution.compile: torch cannot") for text in report.problems] == [True] * problems


def test_too_little_disk(mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    mapping["generators"]["diagen"]["images_per_guide"] = 10**9
    (problem,) = run(mapping).problems
    assert "make room" in problem and "TB" in problem


@pytest.mark.parametrize(("seen", "cap", "warned"), [(4, 4, False), (4, 1, True), (2, -1, True), (0, 1, False)])
def test_cap_on_gpus(
    mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch, seen: int, cap: int, warned: bool
) -> None:
    """The GPUs of the machine are simulated; the comparison of their number with the limit is real."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(seen))))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen > 0)
    mapping["execution"]["device"] = "auto"
    report = Report()
    checks.check_device(load_config(mapping, "mine.yaml", check_files=False), cap, report)
    assert any(f"--resources gpu={seen}" in warning for warning in report.warnings) == warned
    assert any("no GPU here" in warning for warning in report.warnings) == (seen == 0)
    assert not torch.cuda.is_initialized()


@pytest.mark.parametrize(("seen", "offloads", "warned"), [("0", False, True), ("0", True, False), ("", False, False)])
def test_a_build_of_llama_cpp_that_cannot_use_the_gpu(
    mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch, seen: str, offloads: bool, warned: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    monkeypatch.setattr("diagen.runtime.llama_device.built_for_gpu", lambda: offloads)
    monkeypatch.setattr("llama_cpp.llama_supports_gpu_offload", lambda: offloads)
    report = Report()
    checks.check_llama_build(load_config(mapping, "mine.yaml", check_files=False), "cuda", report)
    assert [" CMAKE_ARGS=-DGGML_CUDA=on .venv/bin/python -m pip install " in text for text in report.warnings] == (
        [True] * warned
    )
    mapping["prompts"]["paper"] = {"source": "table", "file": "prompts.csv"}
    report = Report()
    checks.check_llama_build(load_config(mapping, "mine.yaml", check_files=False), "cuda", report)
    assert not report.warnings


def test_a_chat_template_that_fails(mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "CHAT_TEMPLATE", "{{ raise_exception('roles must alternate') }}")
    write_llama(Path("models/llama.gguf"))
    (problem,) = [text for text in run(mapping).problems if "llama" in text]
    assert problem.startswith(
        "models.llama: models/llama.gguf: its chat template cannot render an instruction (roles must"
    )


def test_gpus_that_torch_cannot_use(mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    mapping["execution"]["device"] = "auto"
    report = Report()
    checks.check_device(load_config(mapping, "mine.yaml", check_files=False), 2, report)
    (warning,) = report.warnings
    assert warning.startswith("torch finds none of the 2 GPUs of this machine")


def test_jobs_from_the_last_table() -> None:
    assert job_counts(f"{STATS}\n{STATS}") == {"draw_world_world": 1, "generate_images": 2}
    assert job_counts("Error in the Snakefile") is None


def test_gguf_files(stand_ins: Path, tmp_path: Path) -> None:
    open_gguf(stand_ins / "llama.gguf")
    (tmp_path / "cut.gguf").write_bytes((stand_ins / "llama.gguf").read_bytes()[:-1000])
    (tmp_path / "page.gguf").write_text("<html>Not found</html>")
    for name in ("cut.gguf", "page.gguf"):
        with pytest.raises(InputError, match=f"{name}: llama.cpp cannot load it"):
            open_gguf(tmp_path / name)


def test_folds_are_counted_and_checked_before_the_run(mapping: dict[str, Any]) -> None:
    for label, count in {"cat": 5, "dog": 2}.items():
        for number in range(count):
            path = Path("photos", label, f"{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    mapping["datasets"] = {"mine": {"adapter": "image_folder", "root": "photos", "test": "none"}}
    mapping |= {"seeds": [0, 1], "shots": [1], "evaluation": {"folds": 5}}
    report = run(mapping)
    assert "folds          5 folds x 2 seeds x 1 number of shots = 10 cells, each" in report.text()
    problem = "the class `dog` has 2 train-val images (1 beside the largest of 5 folds), and 1 shots need 2"
    assert [text for text in report.problems if "mine" in text and problem in text]
    few = "`selection: best` chooses an epoch by fewer than 5 validation images of a class"
    assert [text for text in report.warnings if few in text and "`cat` has 1" in text]
    assert [text for text in report.warnings if "some of the 5 folds test no image of `dog` (2)" in text]

    keep_the_last_epoch(mapping)
    report = run(mapping)
    assert report.problems == [] and not [text for text in report.warnings if "validation images" in text]
    mapping["evaluation"]["folds"] = 6
    assert "6 folds, but at most 5 images of a class" in run(mapping).text()

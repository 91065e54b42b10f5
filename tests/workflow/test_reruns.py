"""What a change reruns: each row of the table is really changed, and Snakemake asked which jobs it would run."""

import shutil
import subprocess
import sys

import pytest

from tests.workflow.project import copy_project

TABLES = {"summarize", "write_report"}
COMPARED = {"compare_methods", "write_report"}
TRAINED = {*TABLES, *COMPARED}
AUDIT = {"audit_leakage", "write_report"}
DIAGEN_SET = {
    "generate_images diagen",
    "score_images diagen paper",
    "train_downstream diagen",
    "extract_features diagen",
    "measure_diversity diagen",
    "measure_weighted_diversity diagen paper",
    *TRAINED,
}
LADDER = {"draw_noise_ladder", "write_report"}
PROMPTS = {"write_prompts paper", "plan_generation diagen"}
DA_FUSION_SET = {
    "generate_images da_fusion",
    "train_downstream da_fusion",
    "extract_features da_fusion",
    "measure_diversity da_fusion",
}
MEASURED = {
    "measure_diversity da_fusion",
    "measure_diversity diagen",
    "measure_weighted_diversity diagen paper",
    "measure_ceiling",
}
SCORED = {
    "score_images diagen paper",
    "train_downstream diagen",
    "measure_weighted_diversity diagen paper",
    *TRAINED,
}
CONFIGURATION = {
    "synthetic_probability": (
        lambda config: config["methods"]["diagen"].update(synthetic_probability=0.5),
        {"train_downstream diagen", *TRAINED},
    ),
    "weighting taken away": (
        lambda config: config["methods"]["diagen"].pop("weighting"),
        {"train_downstream diagen", *TRAINED},
    ),
    "first weighting of a generator": (
        lambda config: config["methods"]["da_fusion"].update(weighting="paper"),
        {
            "score_images da_fusion paper",
            "train_downstream da_fusion",
            "measure_weighted_diversity da_fusion paper",
            *TRAINED,
        },
    ),
    "diversity.k": (
        lambda config: config["diversity"].update(k=[1, 2]),
        {*MEASURED, *TABLES},
    ),
    "fewer images of a generator": (
        lambda config: config["generators"]["da_fusion"].update(images_per_guide=1),
        {"plan_generation da_fusion", *DA_FUSION_SET, *MEASURED, *TRAINED},
    ),
    "weight decay of a recipe": (
        lambda config: config.update(
            recipes={"decayed": {"weight_decay": 0.1}}, methods=config["methods"] | {"decayed": {"recipe": "decayed"}}
        ),
        {"train_downstream decayed", *TRAINED},
    ),
    "temperature_prior": (
        lambda config: config["guide_classifiers"]["paper"].update(temperature_prior=None),
        {"train_guide_classifier paper", *SCORED},
    ),
    "primary comparison": (
        lambda config: config.update(comparison={"primary": "da_fusion"}),
        {"compare_methods", "write_report"},
    ),
    "image size of classifiers without a recipe of their own": (
        lambda config: config["downstream"].update(image_size=36),
        {
            "train_guide_classifier paper",
            "score_images diagen paper",
            "measure_weighted_diversity diagen paper",
            "fit_baselines",
            *(f"train_downstream {method}" for method in ("standard", "da_fusion", "diagen")),
            *TRAINED,
        },
    ),
    "leakage.near_distance": (lambda config: config.update(leakage={"near_distance": 0.1}), AUDIT),
    "number of prompts": (
        lambda config: config["prompts"]["paper"].update(per_class=3),
        {*PROMPTS, *DIAGEN_SET},
    ),
    "strength": (lambda config: config["generators"]["diagen"].update(strength=0.9), {*DIAGEN_SET, *LADDER}),
    "noise levels": (
        lambda config: config["generators"]["diagen"].update(noise_levels=[0.01, 0.025]),
        {"plan_generation diagen", *DIAGEN_SET, *LADDER},
    ),
    "embeddings.steps": (
        lambda config: config["embeddings"]["paper"].update(steps=4),
        {"learn_embeddings paper", *DA_FUSION_SET, *DIAGEN_SET, *LADDER},
    ),
    "one more method": (
        lambda config: config["methods"].update(half={"generator": "diagen", "synthetic_probability": 0.5}),
        {"train_downstream half", *TRAINED},
    ),
    "a baseline by a recipe": (
        lambda config: config.update(
            recipes={"cutmix": {"augmentation": "cutmix"}}, methods=config["methods"] | {"cutmix": {"recipe": "cutmix"}}
        ),
        {"train_downstream cutmix", *TRAINED},
    ),
    "another weighting of a generator": (
        lambda config: config.update(
            weightings=config["weightings"] | {"per_class": {"guide_classifier": "paper", "normalize": "class"}},
            methods=config["methods"]
            | {"per_class": {"generator": "diagen", "weighting": "per_class", "synthetic_probability": 0.7}},
        ),
        {
            "score_images diagen per_class",
            "train_downstream per_class",
            "measure_weighted_diversity diagen per_class",
            *TRAINED,
        },
    ),
    "another way to run": (
        lambda config: config["execution"].update(
            device="auto", micro_batch=8, words_together=2, torch_threads=2, shards=2, jobs_per_gpu=4, compile=True
        ),
        set(),
    ),
}


@pytest.mark.parametrize("change", CONFIGURATION)
def test_configuration(changeable, change):
    edit, expected = CONFIGURATION[change]
    changeable.configure(edit)
    assert {str(job) for job in changeable.plan()} == expected


@pytest.mark.parametrize(
    ("edit", "cell"),
    [
        (lambda config: config.update(seeds=[7, 8]), ("seed8", "shots2")),
        (lambda config: config.update(shots=[2, 3]), ("seed7", "shots3")),
    ],
    ids=["one more seed", "one more number of shots"],
)
def test_new_cells(changeable, edit, cell):
    changeable.configure(edit)
    jobs = changeable.plan()
    assert {job.cell for job in jobs if job.cell} == {cell}
    in_cell = {str(job) for job in jobs if job.cell}
    assert {"draw_shots", "learn_embeddings paper", "train_guide_classifier paper"} < in_cell
    assert len(in_cell) == 17
    assert {str(job) for job in jobs if not job.cell} - {"draw_noise_ladder"} == {*TRAINED, *AUDIT}


def test_instruction(changeable):
    changeable.replace("config/instructions/paper.txt", "{num_prompts}", "exactly {num_prompts}")
    assert {str(job) for job in changeable.plan()} == {*PROMPTS, *DIAGEN_SET}


LIBRARY = "workflow_scripts/diagen"
COMPUTES = {
    "a stage's own module": ("guide_classifiers/scoring.py", "import numpy", "EDITED = True\nimport numpy", SCORED),
    "a measure": ("diversity/manifold.py", "import numpy", "EDITED = True\nimport numpy", {*MEASURED, *TABLES}),
    "the source of the prompts": (
        "prompts/llama.py",
        "import string",
        "EDITED = True\nimport string",
        {*PROMPTS, *DIAGEN_SET},
    ),
    "the noise ladder": ("generation/noise_ladder.py", "from collections", "EDITED = True\nfrom collections", LADDER),
    "a chart": ("report/page/charts.py", "import altair", "EDITED = True\nimport altair", {"write_report"}),
    "an interval": (
        "comparisons/intervals.py",
        "import numpy",
        "EDITED = True\nimport numpy",
        {"compare_methods", "write_report"},
    ),
    "a baseline on real photos": (
        "downstream/baselines.py",
        "import numpy",
        "EDITED = True\nimport numpy",
        {"fit_baselines", *TRAINED},
    ),
}
COMPUTES_NOTHING = {
    "a message of an adapter": ("data/adapters/image_folder.py", "this class has no folder", "edited"),
    "a message about prompts": ("prompts/form.py", "control characters", "edited characters"),
    "a message of generation": ("generation/fill.py", "corrupt image", "edited image"),
    "a message of inversion": ("embeddings/inversion.py", "not finite at step", "edited at step"),
    "an adapter that the configuration does not use": ("data/adapters/focus.py", "import", "EDITED = True\nimport"),
    "a source of prompts that is not used": ("prompts/endpoint.py", "import", "EDITED = True\nimport"),
    "the run lock": ("runtime/run_lock.py", "import fcntl", "EDITED = True\nimport fcntl"),
    "the GPU lease": ("runtime/gpu_lease.py", "POLL = 0.5", "POLL = 0.6"),
    "progress": ("runtime/progress.py", "INTERVAL = 30.0", "INTERVAL = 20.0"),
    "how a CSV is written": ("files/tables.py", 'lineterminator="\\n"', 'lineterminator="\\r\\n"'),
    "what a table's rows are": ("generation/plan_file.py", "import", "EDITED = True\nimport"),
    "the preflight": ("preflight/checks.py", "import", "EDITED = True\nimport"),
    "an annotation": ("generation/img2img.py", "-> list[Image.Image | None]:", "-> list:"),
}


@pytest.mark.parametrize("change", COMPUTES)
def test_code_that_computes(changeable, change):
    file, old, new, expected = COMPUTES[change]
    changeable.replace(f"{LIBRARY}/{file}", old, new)
    assert {str(job) for job in changeable.plan()} == expected


@pytest.mark.parametrize("change", COMPUTES_NOTHING)
def test_code_that_computes_nothing(changeable, change):
    file, old, new = COMPUTES_NOTHING[change]
    changeable.replace(f"{LIBRARY}/{file}", old, new)
    assert changeable.plan() == set()


def test_the_reasons_are_explained(changeable):
    assert "Nothing would run" in changeable.explain()
    changeable.configure(lambda config: config["generators"]["diagen"].update(strength=0.9))
    changeable.replace(f"{LIBRARY}/diversity/manifold.py", "import numpy", "EDITED = True\nimport numpy")
    explained = changeable.explain()
    job = "(dataset=world, seed=7, shots=2, generator={})"
    assert f"generate_images {job.format('diagen')}\n    settings: strength: 0.7 -> 0.9\n" in explained
    assert f"extract_features {job.format('diagen')}\n    input: rewritten by another job: " in explained
    code = "    code: modules that compute its result have changed"
    assert f"measure_diversity {job.format('da_fusion')}\n{code}" in explained
    assert f"{len(changeable.plan())} jobs would run" in explained


def test_form_of_code_reruns_nothing(changeable):
    changeable.replace("workflow_scripts/score_images.py", '"""', '"""Really: ')
    changeable.replace("workflow_scripts/diagen/diversity/manifold.py", "import numpy", "# A remark.\n\n\nimport numpy")
    changeable.replace("workflow_scripts/diagen/seeds.py", "def stable_seed(*parts", "def stable_seed(\n    *parts")
    assert changeable.plan() == set()


def test_touched_files_rerun_nothing(changeable):
    small = [path for path in changeable.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    subprocess.run(["touch", *map(str, small)], check=True)
    assert changeable.plan() == set()


def test_a_fresh_clone_with_results_kept_reruns_nothing(finished, tmp_path, stand_ins):
    clone = copy_project(tmp_path / "elsewhere", stand_ins)
    for kept in ("results", ".snakemake"):
        shutil.copytree(finished.folder / kept, clone.folder / kept)
    assert clone.plan() == set()


def test_another_photo_is_reported_and_reruns_nothing(fresh):
    index = "results/tiny/world/images.csv"
    fresh.make("--cores", "1", "results/worlds/7/scenes.csv")
    fresh.configure(
        lambda config: config["datasets"].update(world={"adapter": "image_folder", "root": "results/worlds/7"}),
    )
    fresh.make("--cores", "1", index)
    assert "differs from the indexed photos" not in fresh.snakemake("--dry-run", index).stdout
    photo = next((fresh.folder / "results/worlds/7/train-val").rglob("*.png"))
    shutil.copy(photo, photo.with_name("another.png"))
    result = fresh.snakemake("--dry-run", index)
    assert (
        "has 1 more photo (such as results/worlds/7/train-val/" in result.stdout
        and "Nothing to be done" in result.stdout
    )
    assert "results/worlds/7 differs from the indexed photos" in result.stdout
    assert f"as well): rm {index}" in result.stdout
    command = [sys.executable, "workflow_scripts/explain_jobs.py", index, "--configfile", "config/tiny.yaml"]
    explained = subprocess.run(command, cwd=fresh.folder, capture_output=True, text=True, check=False)
    assert "differs from the indexed photos: it has 1 more photo" in explained.stderr
    preflight = fresh.snakemake("--cores", "1", "preflight")
    assert "warning: `datasets.world`: results/worlds/7 differs from the indexed photos" in preflight.stdout
    (fresh.folder / index).unlink()
    fresh.make("--cores", "1", index)
    assert "differs from the indexed photos" not in fresh.snakemake("--dry-run", index).stdout


def test_another_profile_reruns_nothing(changeable):
    other = changeable.folder / "profiles/other/config.yaml"
    other.parent.mkdir()
    other.write_text("resources:\n  - gpu=4\nprintshellcmds: true\n")
    assert changeable.plan("--workflow-profile", "profiles/other") == set()
    assert changeable.plan("--workflow-profile", "none") == set()


def test_results_whose_making_is_forgotten_are_warned_of(changeable):
    assert ".snakemake/metadata, is empty" not in changeable.snakemake("--dry-run").stdout
    shutil.rmtree(changeable.folder / ".snakemake")
    changeable.configure(lambda config: config["generators"]["diagen"].update(strength=0.9))
    result = changeable.snakemake("--dry-run")
    assert result.returncode == 0 and "Nothing to be done" in result.stdout
    assert (
        "results/tiny: Snakemake's record of how these results were made, .snakemake/metadata, is empty"
        in result.stdout
    )
    assert (
        "results/tiny: Snakemake's record of how these results were made, .snakemake/metadata, is empty"
        in changeable.snakemake("--cores", "1").stdout
    )

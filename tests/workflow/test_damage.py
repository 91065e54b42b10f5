"""All damaged results are found, and the commands that verify_results prints make them again."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.project import Project

CELL = "tiny/world/seed7/shots2"
MANIFEST = f"{CELL}/synthetic/diagen/manifest.csv"


def verify(project: Project) -> subprocess.CompletedProcess[str]:
    """Run the program on the project's results."""
    program = project.folder / "workflow_scripts/verify_results.py"
    command = [sys.executable, program, "results/tiny", "--store", "results/store", "--configfile", "config/tiny.yaml"]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True)


def change(old: bytes, new: bytes) -> Callable[[Path], object]:
    """Replace the first `old` in a file by `new`."""

    def edit(path: Path) -> None:
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new, 1))

    return edit


def flip_a_bit(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """The second half is gone."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def edit_a_seed(path: Path) -> None:
    """Another image seed in the last row."""
    *rows, last = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*rows, last.replace(last.split(",")[-3], "1", 1)]) + "\n", "utf-8")


def repair(project: Project, output: str) -> None:
    """Type the two commands that `verify_results` printed."""
    *_, remove, remake = output.splitlines()
    assert remove.startswith("rm -f ") and remake.startswith(".venv/bin/snakemake ")
    subprocess.run(shlex.split(remove), cwd=project.folder, check=True)
    subprocess.run([sys.executable, "-m", "snakemake", *shlex.split(remake)[1:]], cwd=project.folder, check=True)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "tiny/world/images.csv": (change(b",sha256", b",sha"), "missing columns: sha256"),
    "tiny/world/features.npy": (lambda path: path.write_bytes(b""), "No data left in file"),
    "tiny/world/leakage.json": (cut, "Invalid JSON: EOF while parsing"),
    "tiny/world/noise_ladder.csv": (change(b",sha256", b",sha"), "missing columns: sha256"),
    "tiny/world/prompts/paper.csv": (change(b",0,", b",0"), "line 2 does not have one value per column"),
    "tiny/world/prompts/paper.lines.csv": (change(b",kept", b",fine"), "line 2: unknown verdict 'fine'"),
    f"{CELL}/shots.csv": (change(b"guide,car,", b"guide,"), "line 2 does not have one value per column"),
    f"{CELL}/embeddings/paper.safetensors": (cut, "Error while deserializing header"),
    f"{CELL}/guide_classifiers/paper/calibration.json": (
        change(b'"temperature"', b'"warmth"'),
        "temperature: Field required",
    ),
    f"{CELL}/synthetic/diagen/weights/paper.csv": (change(b"images/", b"pictures/"), "rows differ from manifest.csv"),
    f"{CELL}/downstream/diagen/metrics.json": (Path.unlink, "is missing"),
    f"{CELL}/downstream/standard/head.safetensors": (cut, "Error while deserializing header"),
    f"{CELL}/diversity/diagen.json": (lambda path: path.write_text('[{"k": 3}]'), "0.variant: Field required"),
    "tiny/world/ceiling.json": (change(b'"equal_size"', b'"equal"'), "0.variant: Input should be 'paper'"),
    "tiny/summary/accuracy.csv": (lambda path: path.write_text(""), "No columns to parse from file"),
    "tiny/summary/comparisons.csv": (
        change(b",unclear", b",perhaps"),
        "line 2: `perhaps` is no answer out of yes, hurts",
    ),
    "tiny/summary/worth.csv": (Path.unlink, "is missing"),
    f"{CELL}/downstream/nearest_class_mean/predictions.csv": (Path.unlink, "is missing"),
    "tiny/report.html": (cut, "it does not end with </html>"),
}


def test_undamaged_results_are_reported_as_such(finished):
    result = verify(finished)
    assert (result.returncode, result.stdout) == (0, "results/tiny: all results are complete and undamaged.\n")


@pytest.mark.parametrize("name", DAMAGE)
def test_each_kind_of_file_is_checked(changeable, name):
    damage, problem = DAMAGE[name]
    damage(changeable.folder / "results" / name)
    result = verify(changeable)
    assert result.returncode == 2 and result.stderr == ""
    assert f"results/{name}: {problem}" in result.stdout


def test_features_of_photos_in_the_store_are_checked(changeable):
    files = sorted((changeable.folder / "results/store/features").glob("[!.]*"))
    assert len(files) == 4, "guides, validation, test and uncommon settings, shared by all methods"
    cut(files[0])
    result = verify(changeable)
    assert result.returncode == 2 and f"results/store/features/{files[0].name}: Error while" in result.stdout


def test_a_manifest_that_was_edited_is_found_by_the_plan(changeable):
    edit_a_seed(changeable.folder / "results" / MANIFEST)
    output = verify(changeable).stdout
    assert f"results/{MANIFEST}: does not list the images that plan.csv plans" in output
    plan = Path(MANIFEST).with_name("plan.csv")
    assert f"rm -f results/{MANIFEST} results/{plan}\n" in output, "either file may be the edited one"


def test_a_table_of_images_that_is_cut_at_the_end_of_a_line_comes_back(finished, changeable):
    images = changeable.folder / "results/tiny/world/images.csv"
    images.write_text("".join(images.read_text("utf-8").splitlines(keepends=True)[:-5]), "utf-8")
    result = verify(changeable)
    assert "results/tiny/world/features.npy: features of 40 images, but images.csv lists 35" in result.stdout
    repair(changeable, result.stdout)
    assert verify(changeable).returncode == 0 and changeable.plan() == set()
    assert changeable.results() == finished.results()


def test_a_missing_table_of_images_is_reported_alone(changeable):
    for name in ("images.csv", "skipped.csv"):
        (changeable.folder / "results/tiny/world" / name).unlink()
    assert [line.split(": ")[0] for line in verify(changeable).stdout.splitlines() if ": " in line] == [
        "results/tiny/world/images.csv"
    ]


def test_blocks_may_have_names_of_files(changeable):
    """A set of prompts `images` or `skipped` is no table of images, nor does it miss the other."""
    folder = changeable.folder / "results/tiny/world/prompts"
    for name in ("images", "shots"):
        for ending in ("csv", "lines.csv"):
            shutil.copy(folder / f"paper.{ending}", folder / f"{name}.{ending}")
    assert verify(changeable).returncode == 0


def test_a_missing_table_of_lines_is_found(changeable):
    lines = "results/tiny/world/prompts/paper.lines.csv"
    (changeable.folder / lines).unlink()
    assert f"{lines}: is missing" in verify(changeable).stdout


def test_an_image_that_cant_be_read_hides_nothing(changeable):
    first, second = sorted((changeable.folder / "results/store/images").rglob("*.png"))[:2]
    for image in (first, second):
        image.unlink()
    first.mkdir()
    output = verify(changeable).stdout
    assert f"{first.relative_to(changeable.folder)}: cannot be read (Is a directory)" in output
    assert f"{second.relative_to(changeable.folder)}: is missing" in output


def test_a_truncated_manifest_is_reported_alone(changeable):
    manifest = changeable.folder / "results" / MANIFEST
    manifest.write_text(manifest.read_text("utf-8")[:600], "utf-8")
    assert [line.split(": ")[0] for line in verify(changeable).stdout.splitlines() if ": " in line] == [
        f"results/{MANIFEST}"
    ]


@pytest.mark.slow
def test_all_damage_is_found_at_once_and_the_printed_commands_repair_it(finished, changeable):
    images = sorted((changeable.folder / "results/store/images").rglob("*.png"))
    flip_a_bit(images[0])
    cut(images[1])
    images[2].unlink()
    for name in (f"{CELL}/synthetic/diagen/weights/paper.csv", f"{CELL}/downstream/standard/head.safetensors"):
        cut(changeable.folder / "results" / name)
    (changeable.folder / "results" / f"{CELL}/guide_classifiers/paper/history.csv").unlink()
    (words,) = (changeable.folder / "results/store/words").glob("[!.]*")
    cut(words)

    found = changeable.snakemake("--cores", "1", "verify_results")
    assert found.returncode != 0 and "Traceback" not in found.stdout
    result = verify(changeable)
    assert "7 result(s) are damaged or missing" in result.stdout, result.stdout

    repair(changeable, result.stdout)
    assert verify(changeable).returncode == 0
    assert changeable.plan() == set(), "what was made again is the same, so nothing else is"
    # Words are made again when embeddings are, from which nobody misses them.
    remade = {name: content for name, content in finished.results().items() if not name.startswith("store/words/")}
    assert changeable.results() == remade

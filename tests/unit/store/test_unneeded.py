"""Unneeded files in the store: images, words, checkpoints and temporary files, and no others."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from diagen.errors import InputError
from diagen.generation.manifest_file import ManifestRow, write_manifest
from diagen.runtime import run_lock
from diagen.store.unneeded import find_unneeded

PROGRAM = Path(run_lock.__file__).parents[2] / "prune_images.py"
LONG_AGO = time.time() - 31 * 24 * 3600


class Folder:
    """A results folder with experiments and their store."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.store = self.results / "store"
        self.store.mkdir(parents=True)

    def image(self, name: str) -> Path:
        return self.file(f"store/images/{name[:2]}/{name}.png")

    def file(self, name: str) -> Path:
        path = self.results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content\n")
        return path

    def manifest(self, folder: str, *names: str) -> Path:
        path = self.results / folder / "synthetic/diagen/manifest.csv"
        rows = [
            ManifestRow(f"images/{n[:2]}/{n}.png", "car", 0, i, "a", 0.0, 1, 2, "0" * 64, 8)
            for i, n in enumerate(names)
        ]
        write_manifest(rows, path)
        return path

    def words(self, name: str, values: dict[str, float], age: float = LONG_AGO) -> Path:
        path = self.results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({word: np.full((1, 4), value, np.float32) for word, value in values.items()}, path)
        os.utime(path, (age, age))
        return path

    def unneeded(self) -> list[Path]:
        return find_unneeded(self.results, self.store).removable()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_an_image_is_needed_while_any_experiment_names_it(folder):
    for name in ("aa1", "aa2", "bb3"):
        folder.image(name)
    folder.manifest("one/world/seed0/shots2", "aa1")
    other = folder.manifest("two/world/seed0/shots2", "aa1", "aa2")
    assert folder.unneeded() == [folder.store / "images/bb/bb3.png"]
    other.unlink()
    assert folder.unneeded() == [folder.store / f"images/{name}.png" for name in ("aa/aa2", "bb/bb3")]


def test_images_of_a_noise_ladder_are_needed(folder):
    for name in ("aa1", "bb3"):
        folder.image(name)
    folder.manifest("one/world", "aa1").rename(folder.results / "one/world/noise_ladder.csv")
    assert folder.unneeded() == [folder.store / "images/bb/bb3.png"]


def test_images_are_kept_while_a_plan_has_no_manifest(folder):
    image = folder.image("aa1")
    plan = folder.file("one/world/seed0/shots2/synthetic/diagen/plan.csv")
    found = find_unneeded(folder.results, folder.store)
    assert (found.removable(), found.waiting, found.unfilled) == ([], [image], [plan])
    folder.manifest("one/world/seed0/shots2")
    assert folder.unneeded() == [image]


def test_an_unreadable_manifest_is_an_error(folder):
    folder.image("aa1")
    folder.manifest("one/world/seed0/shots2", "aa1").write_text("broken\n")
    with pytest.raises(InputError, match=r"manifest\.csv: damaged "):
        folder.unneeded()


@pytest.mark.parametrize("end", [-20, None], ids=["within a row", "at the end of a row"])
def test_a_truncated_manifest_is_an_error(folder, end):
    manifest = folder.manifest("one/world/seed0/shots2", "aa1", "aa2")
    manifest.with_name("plan.csv").write_text("class,guide\ncar,0\ncar,1\n")
    assert folder.unneeded() == []
    text = manifest.read_text()
    manifest.write_text(text[:end] if end else "".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"manifest\.csv: damaged "):
        folder.unneeded()


def test_words_are_needed_while_embeddings_hold_them(folder):
    folder.words("one/world/seed0/shots2/embeddings/paper.safetensors", {"car": 1.0, "star": 2.0})
    folder.words("store/words/a.safetensors", {"car": 1.0})
    folder.words("store/words/b.safetensors", {"star": 2.0})
    stale = folder.words("store/words/c.safetensors", {"car": 3.0})
    assert folder.unneeded() == [stale]


def test_words_of_an_interrupted_job_are_kept_for_a_month(folder):
    words = folder.words("store/words/a.safetensors", {"car": 1.0}, age=time.time() - 29 * 24 * 3600)
    assert folder.unneeded() == []
    os.utime(words, (LONG_AGO, LONG_AGO))
    assert folder.unneeded() == [words]


def test_a_checkpoint_is_removed_when_its_words_are_learned_or_it_is_old(folder):
    now = time.time()
    folder.words("store/checkpoints/a.safetensors", {"words": 1.0}, age=now)
    done = folder.words("store/checkpoints/b.safetensors", {"words": 1.0}, age=now)
    folder.words("store/words/b.safetensors", {"car": 1.0}, age=now)
    old = folder.words("store/checkpoints/c.safetensors", {"words": 1.0})
    assert folder.unneeded() == [done, old]


def test_features_are_kept_for_a_month(folder):
    folder.words("store/features/a.safetensors", {"features": 1.0}, age=time.time() - 29 * 24 * 3600)
    old = folder.words("store/features/b.safetensors", {"features": 1.0})
    assert folder.unneeded() == [old]


def test_temporary_files_are_removed_and_other_hidden_files_stay(folder):
    temporary = [
        folder.file("one/summary/.accuracy.123.tmp.csv"),
        folder.file("store/images/aa/.aa1.4567.tmp.png"),
        folder.file("store/words/.a.1.tmp.safetensors"),
    ]
    for name in ("one/.lock", "store/.lock", "store/checksums.json", "one/.notes.tmp.csv", "one/world/.hidden.png"):
        folder.file(name)
    assert sorted(folder.unneeded()) == sorted(temporary)


def test_a_store_that_is_a_link_is_searched_as_well(folder, tmp_path):
    elsewhere = tmp_path / "disk"
    folder.image("aa1")
    folder.file("store/images/aa/.aa2.4567.tmp.png")
    folder.store.rename(elsewhere)
    folder.store.symlink_to(elsewhere)
    assert folder.unneeded() == [folder.store / "images/aa/aa1.png", folder.store / "images/aa/.aa2.4567.tmp.png"]


def prune(folder: Folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, PROGRAM, "--results", folder.results, "--store", folder.store, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_program_removes_only_on_request(folder):
    needed, image = folder.image("aa1"), folder.image("aa2")
    folder.manifest("one/world/seed0/shots2", "aa1")
    listed = prune(folder)
    assert (
        listed.returncode == 0
        and str(image) in listed.stdout
        and "snakemake --cores 1 remove_unneeded\n" in listed.stdout
    )
    assert image.is_file()
    removed = prune(folder, "--remove")
    assert removed.returncode == 0 and "Removed 1 file" in removed.stdout
    assert needed.is_file() and not image.is_file()
    assert "Unneeded: 0 files" in prune(folder).stdout


def test_the_program_fails_while_a_run_uses_the_store(folder):
    image = folder.image("aa1")
    with run_lock.hold(folder.store, shared=True):
        refused = prune(folder, "--remove")
    assert (
        refused.returncode == 2
        and "in use" in refused.stderr
        and "Wait for the run to end" in refused.stderr
        and "Traceback" not in refused.stderr
    )
    assert image.is_file()


@pytest.mark.parametrize("wrong", ["--results", "--store"])
def test_a_mistyped_folder_is_no_empty_one(folder, wrong):
    """Taken for empty, it would make everything in the store unneeded."""
    arguments = {"--results": folder.results, "--store": folder.store} | {wrong: folder.results / "typo"}
    command = [sys.executable, PROGRAM, "--remove", *(part for pair in arguments.items() for part in pair)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and f"{wrong} {folder.results / 'typo'}: no such folder" in result.stderr
    assert not (folder.results / "typo").exists()

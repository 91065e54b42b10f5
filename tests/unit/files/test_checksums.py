"""Checksums of model files: trusted when jobs are planned, verified before use."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from diagen.config.models import BackboneModel, FeatureModel
from diagen.errors import InputError
from diagen.files import checksums
from diagen.files.checksums import checksum, verify, write_list


@pytest.fixture(autouse=True)
def own_run(tmp_path_factory, monkeypatch):
    """A run without records."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setenv(checksums.RUN, "test")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def models(tmp_path):
    """Two models, a folder and a file, beside one list of hashes."""
    files = {"net/a.bin": "A", "net/deep/b.bin": "B", "llama.gguf": "L"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "SHA256SUMS").write_text("".join(f"{sha256(text)}  {name}\n" for name, text in files.items()))
    return tmp_path


def test_a_file_has_the_hash_of_its_content(models):
    assert checksum(models / "llama.gguf") == sha256("L")
    (models / "SHA256SUMS").unlink()
    assert checksum(models / "llama.gguf") == sha256("L")


def test_a_folder_has_the_same_hash_with_and_without_a_list(models):
    listed = checksum(models / "net")
    assert listed == sha256(f"{sha256('A')}  a.bin\n{sha256('B')}  deep/b.bin\n")
    (models / "SHA256SUMS").unlink()
    assert checksum(models / "net") == listed
    (models / "net/SHA256SUMS").write_text(f"{sha256('A')}  a.bin\n{sha256('B')}  deep/b.bin\n")
    assert checksum(models / "net") == listed


def test_caches_beside_the_weights_do_not_count(models):
    (models / "SHA256SUMS").unlink()
    before = checksum(models / "net")
    (models / "net/__pycache__").mkdir()
    (models / "net/__pycache__/hubconf.pyc").write_text("x")
    (models / "net/.lock").write_text("x")
    assert checksum(models / "net") == before


def test_a_list_is_trusted_and_the_content_verified_before_use(models):
    model = FeatureModel(path=str(models / "net"), sha256=checksum(models / "net"))
    verify(model)
    (models / "net/a.bin").write_text("changed")
    assert checksum(models / "net") == model.sha256
    with pytest.raises(
        InputError, match=r"net/a\.bin: differs from SHA256SUMS\. Restore it, .*git checkout -- .*net/a\.bin"
    ):
        verify(model)
    (models / "net/a.bin").unlink()
    with pytest.raises(InputError, match=r"net/a\.bin: is missing, but is listed in SHA256SUMS"):
        verify(model)


def test_weights_that_differ_from_the_configuration_are_rejected(models):
    (models / "SHA256SUMS").unlink()
    verify(FeatureModel(path=str(models / "net")))
    with pytest.raises(InputError, match="but the configuration names 000"):
        verify(FeatureModel(path=str(models / "net"), sha256="0" * 64))
    with pytest.raises(InputError, match="no such file"):
        verify(FeatureModel(path=str(models / "nowhere")))


def test_a_downloaded_model_is_verified_in_its_folder(models, monkeypatch):
    monkeypatch.chdir(models)
    model = BackboneModel(repository="some/net", revision="0123456789abcdef" * 2 + "01234567")
    with pytest.raises(InputError, match="some/net is not downloaded.*download_models"):
        verify(model)
    (models / "models").mkdir()
    (models / "net").rename(models / "models/some--net--0123456789ab")
    write_list(model.folder)
    verify(model)
    (model.folder / "a.bin").write_text("changed")
    with pytest.raises(InputError, match=r"rm -r models/some--net\S*; snakemake .*download_models"):
        verify(model)


def test_missing_models_are_reported(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        checksum(tmp_path / "nowhere")


def test_unchanged_files_are_read_once(models):
    (models / "SHA256SUMS").unlink()
    memory = models / "memory.json"
    first = checksum(models / "net", memory)
    status = (models / "net/a.bin").stat()
    (models / "net/a.bin").write_text("C")  # same size; with the old time it is indistinguishable from the known file
    os.utime(models / "net/a.bin", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert checksum(models / "net", memory) == first
    os.utime(models / "net/a.bin", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert checksum(models / "net", memory) != first
    assert len(json.loads(memory.read_text())) == 3


@pytest.mark.parametrize("content", ["", '{"a": ', "[1]", "\x00"])
def test_a_damaged_memory_is_ignored(models, content):
    memory = models / "memory.json"
    first = checksum(models / "net", memory)
    memory.write_text(content)
    assert checksum(models / "net", memory) == first


@pytest.fixture
def reads(tmp_path, monkeypatch):
    """The names of the files that are read in a run of their own, with a temporary folder of their own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(checksums.RUN, "first")
    monkeypatch.setattr(checksums, "SETTLED", 0)
    files = []
    read = checksums._sha256
    monkeypatch.setattr(checksums, "_sha256", lambda file: files.append(file.name) or read(file))
    return files


def test_a_run_reads_a_file_once(models, reads, monkeypatch):
    model = FeatureModel(path=str(models / "net"), sha256=checksum(models / "net"))
    for _ in range(3):
        verify(model)
    assert reads == ["a.bin", "b.bin"]
    monkeypatch.setenv(checksums.RUN, "second")
    verify(model)
    assert reads == ["a.bin", "b.bin"] * 2


def test_a_file_that_changed_in_a_run_is_read_again(models, reads):
    model = FeatureModel(path=str(models / "net"))
    verify(model)
    status = (models / "net/a.bin").stat()
    (models / "net/a.bin").write_text("C")  # same size, and the same time of modification
    os.utime(models / "net/a.bin", ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(InputError, match=r"net/a\.bin: differs from SHA256SUMS"):
            verify(model)
    (models / "other.bin").write_text("A")
    os.utime(models / "other.bin", ns=(status.st_atime_ns, status.st_mtime_ns))
    (models / "other.bin").replace(models / "net/a.bin")
    verify(model)
    assert reads == ["a.bin", "b.bin", "a.bin", "a.bin"]


def test_a_file_that_has_just_changed_is_not_remembered(models, reads, monkeypatch):
    monkeypatch.setattr(checksums, "SETTLED", 60 * 10**9)
    for _ in range(2):
        verify(FeatureModel(path=str(models / "net")))
    assert reads == ["a.bin", "b.bin"] * 2


@pytest.mark.parametrize("content", ["", '{"a": ', "[1]", "\x00", b"\xff"])
def test_a_damaged_record_of_a_run_is_ignored(models, reads, content):
    model = FeatureModel(path=str(models / "net"))
    verify(model)
    (record,) = models.glob("diagen-models-*/first.json")
    record.write_bytes(content if isinstance(content, bytes) else content.encode())
    verify(model)
    verify(model)
    assert reads == ["a.bin", "b.bin"] * 2


@pytest.mark.parametrize("forged", ["others can write", "link"])
def test_records_that_others_could_forge_are_not_used(models, reads, forged):
    folder = models / f"diagen-models-{os.getuid()}"
    if forged == "link":
        folder.symlink_to(models)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    for _ in range(2):
        verify(FeatureModel(path=str(models / "net")))
    assert reads == ["a.bin", "b.bin"] * 2 and not list(models.rglob("first.json"))


def test_programs_that_start_together_read_a_file_once(models):
    """As shards, and jobs on a machine with several GPUs. The environment names the run, or the shards inherit it."""
    code = (
        "import sys, time; from diagen.config.models import FeatureModel; from diagen.files import checksums\n"
        "read, checksums.SETTLED = checksums._sha256, 0\n"
        "def slow(file):\n"
        "    print(file.name, flush=True); time.sleep(0.2); return read(file)\n"
        "checksums._sha256 = slow\n"
        "checksums.verify(FeatureModel(path=sys.argv[1]))\n"
    )
    environment = {"PYTHONPATH": str(Path("workflow_scripts").resolve()), "TMPDIR": str(models), checksums.RUN: "one"}
    command = [sys.executable, "-c", code, str(models / "net")]
    programs = [
        subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    output = "".join(program.communicate()[0] for program in programs)
    assert [program.returncode for program in programs] == [0] * 4
    assert sorted(output.split()) == ["a.bin", "b.bin"]


def test_a_program_without_a_run_names_one_for_its_shards(models, reads, monkeypatch):
    monkeypatch.delenv(checksums.RUN)
    verify(FeatureModel(path=str(models / "net")))
    assert os.environ[checksums.RUN].endswith(f"-{os.getpid()}")

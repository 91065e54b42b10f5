"""Shards divide the classes whenever they start, have one GPU each, and end with the process that started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diagen.runtime.shards import of_shard

LIBRARY = Path(__file__).parents[3] / "workflow_scripts"
# A program with shards: each leases a GPU, prints it, and holds it until the file `end` exists.
PROGRAM = """
import argparse, os, sys, time
from pathlib import Path
from diagen.runtime.gpu_lease import lease_gpu
from diagen.runtime.program import run
from diagen.runtime.shards import add_shard_arguments, of_shard, run_shards

def main():
    parser = argparse.ArgumentParser()
    add_shard_arguments(parser)
    arguments = parser.parse_args()
    if run_shards(arguments.shards, arguments.shard):
        print("merging", flush=True)
        return
    lease = lease_gpu()
    mine = of_shard("aabbc", "aabbc", arguments.shards, arguments.shard)
    # One write: the output of the shards must not be interleaved.
    os.write(1, f"{os.environ['CUDA_VISIBLE_DEVICES']} {''.join(mine)} {os.getpid()}\\n".encode())
    while not Path("end").exists():
        time.sleep(0.1)
    sys.exit(3 if Path("end").read_text() == str(arguments.shard) else 0)

run(main)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "CUDA"))}
    (tmp_path / "program.py").write_text(PROGRAM)
    return kept | {"PYTHONPATH": str(LIBRARY), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}


def start(environment: dict[str, str], tmp_path: Path, shards: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "program.py", "--shards", str(shards)]
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_each_shard_has_a_gpu_and_classes_of_its_own(environment: dict[str, str], tmp_path: Path) -> None:
    running = start(environment, tmp_path)
    lines = [running.stdout.readline().split() for _ in range(2)]
    assert {gpu for gpu, _, _ in lines} == {"0", "1"}
    assert {classes for _, classes, _ in lines} == {"aac", "bb"}
    (tmp_path / "end").write_text("")
    output, errors = running.communicate()
    assert running.returncode == 0 and output == "merging\n", errors


def test_shards_that_find_no_free_gpu_wait_for_the_others(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "end").write_text("")
    output, _ = start(environment, tmp_path, shards=3).communicate()
    assert sorted(line.split()[1] for line in output.splitlines()[:-1]) == ["aa", "bb", "c"]
    assert output.endswith("merging\n")


def test_a_failed_shard_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "end").write_text("1")
    running = start(environment, tmp_path)
    output, errors = running.communicate()
    assert running.returncode == 2 and "merging" not in output
    assert "error: shard 1 of 2 failed. Fix what its message above reports and run again" in errors


def test_shards_end_and_free_their_gpus_when_their_starter_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first = start(environment, tmp_path)
    shards = [int(first.stdout.readline().split()[2]) for _ in range(2)]
    first.send_signal(signal.SIGKILL)
    second = start(environment, tmp_path)
    lines = [second.stdout.readline().split() for _ in range(2)]
    assert {gpu for gpu, _, _ in lines} == {"0", "1"} and not {int(pid) for *_, pid in lines} & set(shards)
    (tmp_path / "end").write_text("")
    second.communicate()
    first.communicate()


def test_classes_stay_together_and_all_are_worked_on() -> None:
    items, groups = list(range(7)), ["car", "car", "fish", "star", "star", "car", "tree"]
    assert of_shard(items, groups, 2, None) == items
    shares = [of_shard(items, groups, 2, shard) for shard in range(2)]
    assert shares == [[0, 1, 3, 4, 5], [2, 6]]

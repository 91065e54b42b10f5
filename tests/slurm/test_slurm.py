"""The workflow on a real SLURM, by the project's profile: undisturbed results, whatever SLURM or an operator breaks.

Each test breaks several things, since most of its time goes into starting jobs.
"""

import re
import time
from itertools import combinations
from pathlib import Path

import pytest

from diagen.files.atomic import TEMPORARY
from tests.slurm.cluster import Task
from tests.slurm.conftest import GENERATORS, MANIFESTS, Fault, images_of, new_project
from tests.slurm.runs import in_the_middle, job_of, submit, wait_until_running, watched
from tests.workflow.project import SHARING, Project

pytestmark = pytest.mark.slow

ON_GPU = {"learn_embeddings", "generate_images", "draw_noise_ladder", *SHARING}


def assert_same(project: Project, expected: Project) -> None:
    """All results are there, and the same to the byte, beside logs and temporary files of killed jobs."""
    found = project.results().items()
    left_out = [name for name, _ in found if name.startswith("slurm_logs/") or TEMPORARY.fullmatch(Path(name).name)]
    ours = {name: content for name, content in found if name not in left_out}
    theirs = expected.results()
    assert ours.keys() == theirs.keys()
    assert [name for name in theirs if ours[name] != theirs[name]] == []


def test_a_whole_run_that_loses_its_controller_and_its_snakemake(cluster, expected, stand_ins, tmp_path, faults):
    images = set.union(*images_of(expected))
    project = new_project(tmp_path / "project", stand_ins)
    with watched(project.folder / "results/store") as writes:
        first = submit(project, cluster)
        learning = wait_until_running(cluster, "learn_embeddings", "paper")
        # At once: a cluster without accounting bears no longer absence (docs/slurm.md).
        cluster.stop("slurmctld")
        cluster.start_controller()
        in_the_middle(cluster, writes, images)
        first.process.kill()
        first.process.wait()
        left = len(images - writes.names())
        submit(project, cluster).succeeds()  # at once, beside the jobs that go on
    assert_same(project, expected)
    assert job_of(cluster, "learn_embeddings", "paper")["JobId"] == learning, "words were learned twice"
    assert writes.repeated(images) <= left, "images that were there were made again"
    faults.append(Fault("slurmctld restarted", 0, 0, 0, None))
    faults.append(Fault("snakemake killed, started beside its jobs", 0, writes.repeated(images), len(images), None))
    assert project.plan() == set()
    jobs = [job for job in cluster.jobs() if job["WorkDir"] == str(project.folder)]
    check_names(jobs)
    check_devices(jobs, cluster.tasks())


def check_names(jobs: list[dict[str, str]]) -> None:
    """squeue can tell rule and cell of each job."""
    assert all(re.fullmatch(r"diagen_[0-9a-f-]{36}", job["JobName"]) for job in jobs)
    assert "rule_generate_images_wildcards_world_7_2_diagen" in {job["Comment"] for job in jobs}


def check_devices(jobs: list[dict[str, str]], all_tasks: list[Task]) -> None:
    """Jobs that run a model had one device each, no two the same at one time, and the others had none."""
    rules = {int(job["JobId"]): re.match(r"rule_(\w+?)(_wildcards_|$)", job["Comment"])[1] for job in jobs}
    tasks = [task for task in all_tasks if task.job in rules]
    assert {rules[task.job] for task in tasks if task.devices} == ON_GPU
    assert {len(task.devices) for task in tasks if rules[task.job] in ON_GPU} == {1}
    assert {task.devices for task in tasks if task.devices} == {("0",), ("1",)}, "no two jobs ran side by side"
    for one, other in combinations([task for task in tasks if task.devices], 2):
        apart = one.end <= other.start or other.end <= one.start
        assert apart or one.devices != other.devices, f"{one} and {other} shared a device"


def test_killed_requeued_and_preempted_jobs_go_on(cluster, expected, without_images, faults):
    da_fusion, diagen = images_of(expected)
    with watched(without_images.folder / "results/store") as writes:
        run = submit(without_images, cluster, *MANIFESTS)
        first = in_the_middle(cluster, writes, da_fusion, diagen)
        killed, requeued = (job_of(cluster, "generate_images", name)["JobId"] for name in ("diagen", "da_fusion"))
        cluster.tell("scancel", "--signal=KILL", killed)
        cluster.tell("scontrol", "requeue", requeued)
        second = in_the_middle(cluster, writes, diagen, made=24)
        cluster.tell("sbatch", "--partition=urgent", "--gpus=2", "--output=/dev/null", "--wrap", "sleep 1")
        run.succeeds()
    assert_same(without_images, expected)
    assert writes.repeated(writes.names()) == 0
    again = {name: job_of(cluster, "generate_images", name) for name in GENERATORS}
    assert again["diagen"]["JobId"] != killed, "SLURM forgets a job that was killed: Snakemake submits another"
    assert again["da_fusion"]["JobId"] == requeued, "a job that was requeued is the same job"
    assert int(again["da_fusion"]["Restarts"]) >= 1 and int(again["diagen"]["Restarts"]) == 1
    for name, images, when in (
        ("scancel --signal=KILL", diagen, first),
        ("scontrol requeue", da_fusion, first),
        ("preempted by an urgent job", diagen, second),
    ):
        faults.append(Fault(name, 0, writes.repeated(images), len(images), writes.recovery(images, when)))


def test_jobs_past_their_time_and_memory_get_more(cluster, expected, without_images, faults):
    da_fusion, diagen = images_of(expected)
    # Too little memory for a program with torch, at the first attempt; the other job is given enough.
    memory = "generate_images:mem_mb=(300 if wildcards.generator == 'da_fusion' else 1200) * attempt ** 3"
    with watched(without_images.folder / "results/store") as writes:
        started = time.monotonic()
        run = submit(without_images, cluster, *MANIFESTS, "--set-resources", memory)
        first = in_the_middle(cluster, writes, diagen)
        late = job_of(cluster, "generate_images", "diagen")
        # As on a file system that hangs: it stands still until its time is over, which is soon.
        cluster.tell("scancel", "--signal=STOP", late["JobId"])
        cluster.tell("scontrol", "update", f"JobId={late['JobId']}", "EndTime=now+5seconds")
        run.succeeds()
    assert_same(without_images, expected)
    assert writes.repeated(writes.names()) == 0
    states = [job for job in cluster.jobs() if job.get("WorkDir") == str(without_images.folder)]
    by_block = {name: [job for job in states if job["Comment"].endswith(f"_{name}")] for name in GENERATORS}
    assert [job["JobState"] for job in by_block["da_fusion"]] == ["FAILED", "COMPLETED"]
    assert [job["JobState"] for job in by_block["diagen"]] == ["TIMEOUT", "COMPLETED"]
    assert "memory" in slurm_log(without_images, by_block["da_fusion"][0]["JobId"])
    retried = by_block["diagen"][1]
    assert retried["TimeLimit"] > late["TimeLimit"] and retried["MinMemoryNode"] > late["MinMemoryNode"]
    recovery = writes.recovery(diagen, first)
    faults.append(Fault("past its time limit", 0, writes.repeated(diagen), len(diagen), recovery))
    recovery = writes.recovery(da_fusion, started)
    faults.append(Fault("past its memory", 0, writes.repeated(da_fusion), len(da_fusion), recovery))


def slurm_log(project: Project, job: str) -> str:
    """What SLURM said of a failed job."""
    (file,) = (project.folder / "results/slurm_logs").rglob(f"{job}.log")
    return file.read_text("utf-8")


def test_shards_have_a_gpu_each_and_are_canceled_after_a_killed_snakemake(cluster, expected, without_images, faults):
    images = set.union(*images_of(expected))
    without_images.configure(lambda config: config["execution"].update(shards=2, jobs_per_gpu=4))
    with watched(without_images.folder / "results/store") as writes:
        run = submit(without_images, cluster, *MANIFESTS)
        fault = in_the_middle(cluster, writes, images)
        (job,) = [job for job in cluster.jobs() if job["JobState"] == "RUNNING"]
        run.process.kill()
        run.process.wait()
        cluster.tell("scancel", f"--name={job['JobName']}")
        submit(without_images, cluster, *MANIFESTS).succeeds()
    assert (job["TresPerJob"], job["CPUs/Task"]) == ("gres:gpu:2", "2")
    assert {task.devices for task in cluster.tasks() if task.job >= int(job["JobId"])} == {("0", "1")}
    assert_same(without_images, expected)
    assert writes.repeated(writes.names()) == 0
    recovery = writes.recovery(images, fault)
    faults.append(Fault("snakemake killed, its jobs canceled, started again", 0, 0, len(images), recovery))

"""A SLURM cluster on this machine, from Debian's packages, in a folder of its own: one node with two GPUs.

The GPUs are character devices that nobody opens: SLURM hands them out and sets CUDA_VISIBLE_DEVICES, torch finds none
and computes on the CPU. Before and after each task SLURM notes what the task's environment held.
"""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "setpriv")
GPUS = 2
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
CredType=cred/munge
# A job that is requeued waits until its old credential has expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
MinJobAge=600
KillWait=2
SchedulerParameters=batch_sched_delay=1,sched_interval=1
# Without cgroups, a job past its memory is found by looking at it each second.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
TaskProlog={folder}/note_start
TaskEpilog={folder}/note_end
# The node says that it is large, so that jobs run side by side wherever the tests do.
SlurmdParameters=config_overrides
NodeName={host} CPUs=8 RealMemory=256000 Gres=gpu:{gpus} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=all Nodes={host} Default=YES PriorityTier=1
PartitionName=urgent Nodes={host} PriorityTier=2
"""
# The plugin clears SLURM's variables before it starts a step, SLURM_CONF too: a cluster of its own place is found so.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""
NOTE = """\
#!/bin/sh
echo "{event} $SLURM_JOB_ID ${{SLURM_STEP_ID:-batch}} ${{CUDA_VISIBLE_DEVICES:-none}} $(date +%s.%N)" \\
  >> {folder}/tasks.txt
"""


class NotHere(Exception):
    """A cluster can't be started here; the text says why."""


@dataclass(frozen=True)
class Task:
    """A task that SLURM started: its job, the devices in its environment, and when it ran, in seconds since the epoch.

    `end` is infinite while it runs, and for a task that was killed together with its keeper.
    """

    job: int
    devices: tuple[str, ...]
    start: float
    end: float


@dataclass
class Cluster:
    """A running cluster. `environment` makes SLURM's commands speak to it."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start a daemon that dies with this process."""
        with open(self.folder / f"{name}.out", "ab") as output:
            self.processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self.start("slurmctld", "slurmctld", "-D")
        self.wait(lambda: self.ask("scontrol", "ping").returncode == 0, 30, "slurmctld answers")

    def stop(self, name: str) -> None:
        """End a daemon as its service would be stopped."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait()

    def ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of SLURM's commands."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def tell(self, *command: str) -> str:
        """Run one of SLURM's commands, which must succeed, and return what it prints."""
        result = self.ask(*command)
        assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
        return result.stdout

    def jobs(self) -> list[dict[str, str]]:
        """What SLURM remembers of all jobs, as `scontrol show job` names it."""
        lines = self.tell("scontrol", "--oneliner", "--details", "show", "job").splitlines()
        return [dict(re.findall(r"(\w+(?:/\w+)?)=(\S*)", line)) for line in lines if "JobId=" in line]

    def tasks(self) -> list[Task]:
        """The tasks that programs ran in, oldest first (not the scripts that only start them)."""
        file = self.folder / "tasks.txt"
        starts, ends = {}, {}
        for line in file.read_text("utf-8").splitlines() if file.exists() else []:
            event, job, step, devices, when = line.split()
            if step.isdigit() and int(step) < 2**31:
                if event == "start":
                    starts.setdefault((job, step), []).append((devices, float(when)))
                else:
                    ends.setdefault((job, step), []).append(float(when))
        tasks = []
        for (job, step), runs in starts.items():
            for number, (devices, start) in enumerate(runs):
                done = [end for end in ends.get((job, step), []) if end >= start]
                following = runs[number + 1][1] if number + 1 < len(runs) else float("inf")
                seen = () if devices in ("none", "NoDevFiles") else tuple(devices.split(","))
                tasks.append(Task(int(job), seen, start, min([*done, following])))
        return sorted(tasks, key=lambda task: task.start)

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until `condition` holds; fails after `seconds`, with the end of the daemons' logs."""
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                logs = "\n".join(
                    f"== {log.name}\n" + "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
                    for log in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
                )
                raise AssertionError(f"after {seconds} s it isn't so that {what}\n{logs}")
            time.sleep(0.1)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster in `folder`, which others must be able to enter; all of it is taken down at the end.

    Raises `NotHere` where the packages or the rights are missing.
    """
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing:
        raise NotHere(f"{', '.join(missing)} not found; on Debian: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        raise NotHere("daemons of SLURM need root")
    host = socket.gethostname().split(".")[0]
    path = os.pathsep.join((str(folder / "bin"), *os.get_exec_path()))
    cluster = Cluster(folder, os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path})
    _write_configuration(folder, host)
    try:
        cluster.start(
            "munged",
            *("setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "--pdeathsig", "KILL"),
            *("munged", "--foreground", f"--key-file={folder}/munge/key", f"--socket={folder}/munge.socket"),
            *(f"--{name}-file={folder}/munge/{name}" for name in ("pid", "log", "seed")),
        )
        cluster.wait((folder / "munge.socket").exists, 20, "munged has its socket")
        cluster.start_controller()
        cluster.start("slurmd", "slurmd", "-D")
        cluster.wait(lambda: "idle" in cluster.ask("sinfo", "--noheader", "--format=%t").stdout, 30, "the node is idle")
        yield cluster
    finally:
        _take_down(cluster)


def _write_configuration(folder: Path, host: str) -> None:
    folder.chmod(0o755)
    for name in ("state", "spool", "munge", "bin"):
        (folder / name).mkdir()
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "munge" / "key").chmod(0o400)
    for path in (folder / "munge", folder / "munge" / "key"):
        shutil.chown(path, "munge", "munge")
    # munged makes its socket here, and refuses a folder that others may write to.
    shutil.chown(folder, "munge")
    for number in range(GPUS):
        try:
            os.mknod(folder / f"gpu{number}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            raise NotHere("this machine lets nobody make devices (mknod)") from None
    configuration = CONFIGURATION.format(
        folder=folder,
        host=host,
        controller_port=_free_port(),
        node_port=_free_port(),
        gpus=GPUS,
    )
    (folder / "slurm.conf").write_text(configuration, "utf-8")
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-{GPUS - 1}]\n", "utf-8")
    scripts = {f"note_{event}": NOTE.format(event=event, folder=folder) for event in ("start", "end")}
    scripts["bin/srun"] = SRUN.format(folder=folder, srun=shutil.which("srun"))
    for name, text in scripts.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _take_down(cluster: Cluster) -> None:
    """Kill every process of the cluster: daemons, jobs, and whoever submits them. All have its folder in their PATH."""
    mark = str(cluster.folder).encode()
    while found := [pid for pid in _processes() if mark in _environment(pid)]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    for process in cluster.processes.values():
        process.wait()


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _environment(pid: int) -> bytes:
    """The environment that a process was started with; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""

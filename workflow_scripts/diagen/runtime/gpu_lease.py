"""Find the available GPUs, and lease one of them, or a share of one, for the lifetime of the process.

Free of torch: CUDA reads CUDA_VISIBLE_DEVICES once, when it is initialized, so the GPU must be chosen before torch is
imported.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from diagen.errors import InputError, rm
from diagen.files.own_folder import own_folder

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder per GPU, for machines with NVIDIA's driver but without its tool
LISTED = re.compile(r"^GPU \d+: (.*) \(UUID: (GPU-[^)]+)\)$", re.MULTILINE)
INFORMATION = re.compile(r"^Model:\s*(.*?)\s*\n(?:.*\n)*?GPU UUID:\s*(GPU-[0-9a-f-]+)$", re.MULTILINE)
DRIVER_VERSION = Path("/proc/driver/nvidia/version")
POLL = 0.5  # seconds between attempts to lease a GPU
PARTS = 12
"""Parts of a GPU, each with a lock. A lease that `jobs` processes may share takes 1/`jobs` of them, so leases with
different numbers of jobs never exceed the GPU together."""
JOBS = tuple(jobs for jobs in range(1, PARTS + 1) if PARTS % jobs == 0)
"""The numbers of jobs that may share a GPU."""


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name in CUDA_VISIBLE_DEVICES (the UUID, if NVIDIA reports it), and its model, if known."""

    identity: str
    model: str = ""


@dataclass(frozen=True)
class Lease:
    """The use of a GPU, shared by at most `jobs` processes, until the process ends or releases it."""

    gpu: Gpu
    jobs: int
    locks: tuple[TextIO, ...]

    def release(self) -> None:
        """Make the GPU available to other processes."""
        for lock in self.locks:
            lock.close()


def visible_gpus() -> list[Gpu]:
    """List the GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, in its order, or all of the machine.

    As in CUDA, an entry is a number, a UUID or the beginning of one; the first invalid entry and all that follow are
    ignored. Numbers are those of `nvidia-smi -L`.
    """
    named = os.environ.get(VISIBLE)
    if named is not None and not named.strip():
        return []
    machine = _gpus_of_the_machine()
    if named is None:
        return machine
    gpus = []
    for entry in named.split(","):
        gpu = _find(entry.strip(), machine)
        if gpu is None:
            break
        gpus.append(gpu)
    return list(dict.fromkeys(gpus))


def _find(entry: str, machine: Sequence[Gpu]) -> Gpu | None:
    """Find the GPU of an entry in CUDA_VISIBLE_DEVICES; if the machine's GPUs are unknown, the entry is its name."""
    if entry.startswith("MIG-") or (not machine and re.fullmatch(r"\d+|GPU-.+", entry)):
        return Gpu(entry)
    if entry.isdecimal():
        return machine[int(entry)] if int(entry) < len(machine) else None
    return next((gpu for gpu in machine if entry.startswith("GPU-") and gpu.identity.startswith(entry)), None)


def _gpus_of_the_machine() -> list[Gpu]:
    """List the GPUs that NVIDIA's tool reports or, without the tool, its driver."""
    if tool := shutil.which("nvidia-smi"):
        found = LISTED.findall(subprocess.run([tool, "-L"], capture_output=True, text=True, check=False).stdout)
    else:
        texts = [path.read_text("utf-8") for path in sorted(DRIVER.glob("*/information"))]
        found = [match.groups() for text in texts if (match := INFORMATION.search(text))]
    return [Gpu(identity, model) for model, identity in found]


def describe_gpu(gpu: Gpu) -> str:
    """Describe model, compute capability and driver of a GPU, as far as NVIDIA's tool or driver reports them."""
    known = {
        "compute capability": query_gpu("compute_cap", gpu),
        "driver": query_gpu("driver_version", gpu) or _driver_version(),
    }
    details = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    return f"{gpu.model or query_gpu('name', gpu) or 'GPU ' + gpu.identity} ({details or 'driver unknown'})"


def query_gpu(fields: str, gpu: Gpu) -> str:
    """Ask NVIDIA's tool for fields of a GPU, separated by commas, as are the values (memory in MiB).

    Empty if the tool, or a field in its version, does not exist.
    """
    tool = shutil.which("nvidia-smi")
    if not tool:
        return ""
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={gpu.identity}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _driver_version() -> str:
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", DRIVER_VERSION.read_text("utf-8")) if DRIVER_VERSION.is_file() else None
    return found[0] if found else ""


def lease_for(device: str, jobs: int = 1) -> Lease | None:
    """Lease a GPU as `lease_gpu` does, if the configured `device` allows one."""
    return lease_gpu(jobs) if device in ("auto", "cuda") else None


def lease_gpu(jobs: int = 1) -> Lease | None:
    """Lease a GPU, or with `jobs` above 1 that share of one, and make it the only one that this process sees.

    Waits while none is free. `jobs` is one of `JOBS`. The kernel releases the lease when the process ends, however it
    ends. Processes of one user on one machine exclude each other. In a SLURM job, which has its own allocation, only
    processes of the same job do; a single allocated GPU is used without a lease. Returns `None` when there is nothing
    to lease.

    A waiting process reserves one GPU: no later process gets a part of that before it does, so that small jobs do not
    overtake one that needs a whole GPU forever. A process that holds a lease never waits, so there is no deadlock.
    """
    gpus = visible_gpus()
    job = os.environ.get("SLURM_JOB_ID")
    if not gpus or (job and len(gpus) == 1):
        return None
    folder = _lock_folder()
    paths = [folder / "-".join(filter(None, (job, gpu.identity.replace("/", "-")))) for gpu in gpus]
    choices = list(zip(gpus, paths, strict=True))
    if jobs > 1:  # shares fill GPUs from the last one on, so that the first ones remain whole
        choices.reverse()
    reserved: dict[Path, TextIO] = {}
    waiting = False
    while True:
        with _one_attempt_at_a_time(folder):
            if lease := _try_to_lease(choices, jobs, reserved):
                break
            holders = "" if waiting else "; ".join(f"{gpu.identity} by {_holders(path)}" for gpu, path in choices)
        if holders:
            print(f"waiting for a GPU, all are leased: {holders}", file=sys.stderr, flush=True)
        waiting = True
        time.sleep(POLL)
    for turn in reserved.values():
        turn.close()
    _use(lease)
    return lease


def _try_to_lease(choices: Sequence[tuple[Gpu, Path]], jobs: int, reserved: dict[Path, TextIO]) -> Lease | None:
    """Lease the first GPU with a free share; if there is none, `reserved` keeps the turn at one GPU, if it can."""
    for gpu, path in choices:
        turn = reserved.get(path) or _lock(_turn(path))
        if turn is None:
            continue
        if locks := _lock_share(path, jobs):
            turn.close()
            return Lease(gpu, jobs, locks)
        if not reserved:
            reserved[path] = turn
        elif path not in reserved:
            turn.close()
    return None


def _use(lease: Lease) -> None:
    """Make the leased GPU the only one that this process sees, and keep the lease until the process ends."""
    # Started programs do not inherit the open files, but a fork does, and would keep the GPU after this process ends.
    # The registration also keeps a reference, so the files stay open until the process ends.
    os.register_at_fork(after_in_child=lease.release)
    gpu = lease.gpu
    os.environ[VISIBLE] = gpu.identity
    details = [f" ({gpu.model})"] * bool(gpu.model) + [f", shared by up to {lease.jobs} jobs"] * (lease.jobs > 1)
    print(f"on the GPU {gpu.identity}{''.join(details)}", file=sys.stderr, flush=True)


def _lock_folder() -> Path:
    """Return the user's own folder of lock files. Raises `InputError` when other users can write to it."""
    try:
        return own_folder("gpus")
    except PermissionError as error:
        raise InputError(
            f"{error.filename}: {error.strerror}. Remove it: {rm(Path(error.filename), recursive=True)}; or set TMPDIR "
            "to a folder of your own"
        ) from None


@contextlib.contextmanager
def _one_attempt_at_a_time(folder: Path) -> Iterator[None]:
    """Keep out other processes' attempts: one that meets another would take a GPU for leased that is not."""
    with open(folder / "attempt", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _turn(path: Path) -> Path:
    """Return the lock file of the process that locks parts of a GPU, or waits for them."""
    return path.with_name(f"{path.name}.next")


def _parts(path: Path) -> list[Path]:
    """Return the lock files of a GPU's parts. Older versions, which lease whole GPUs, lock the first only."""
    return [path, *(path.with_name(f"{path.name}.{part}") for part in range(1, PARTS))]


def _lock_share(path: Path, jobs: int) -> tuple[TextIO, ...]:
    """Lock the first free one of the `jobs` equal shares of a GPU; empty if none is free."""
    files, size = _parts(path), PARTS // jobs
    for start in range(0, PARTS, size):
        locks: list[TextIO] = []
        for file in files[start : start + size]:
            lock = _lock(file)
            if lock is None:
                break
            locks.append(lock)
        else:
            return tuple(locks)
        for lock in locks:
            lock.close()
    return ()


def _lock(path: Path) -> TextIO | None:
    """Lock a file and write its holder into it. Returns the open file, or `None` if another process holds the lock."""
    file = open(path, "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(_this_process())
    file.flush()
    return file


def _this_process() -> str:
    return f"process {os.getpid()} ({Path(sys.argv[0]).name})"


def _holders(path: Path) -> str:
    """Name the other processes that hold parts of a GPU, or are the next to get one."""
    held: list[str] = []
    for file in (*_parts(path), _turn(path)):
        if free := _lock(file):
            free.close()
        elif (text := file.read_text("utf-8", "replace")) != _this_process():
            held.append(text)
    return ", ".join(dict.fromkeys(held)) or "another process"

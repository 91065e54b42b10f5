"""GPUs: which ones there are, and the lease of one of them for as long as the process lives.

Free of torch: CUDA looks at CUDA_VISIBLE_DEVICES once, when it starts, so that the GPU must be chosen before torch is
imported.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from diagen.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder per GPU, where there is NVIDIA's driver but not its tool
LISTED = re.compile(r"^GPU \d+: (.*) \(UUID: (GPU-[^)]+)\)$", re.MULTILINE)
INFORMATION = re.compile(r"^Model:\s*(.*?)\s*\n(?:.*\n)*?GPU UUID:\s*(GPU-[0-9a-f-]+)$", re.MULTILINE)
POLL = 0.5  # seconds between two looks for a free GPU


@dataclass(frozen=True)
class Gpu:
    """A GPU: what CUDA_VISIBLE_DEVICES calls it (its UUID, where NVIDIA tells it), and its model, where known."""

    identity: str
    model: str = ""


@dataclass(frozen=True)
class Lease:
    """A GPU that this process has to itself until it ends or releases it."""

    gpu: Gpu
    lock: TextIO

    def release(self) -> None:
        """Let others have the GPU."""
        self.lock.close()


def visible_gpus() -> list[Gpu]:
    """The GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, in its order, or all of the machine.

    As in CUDA, an entry is a number, a UUID or the beginning of one, and what follows an entry that is none of these
    doesn't count. A number means the GPU that `nvidia-smi -L` shows by it.
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
    """The GPU that an entry of CUDA_VISIBLE_DEVICES means; where the machine's GPUs aren't told, the entry is taken."""
    if entry.startswith("MIG-") or (not machine and re.fullmatch(r"\d+|GPU-.+", entry)):
        return Gpu(entry)
    if entry.isdecimal():
        return machine[int(entry)] if int(entry) < len(machine) else None
    return next((gpu for gpu in machine if entry.startswith("GPU-") and gpu.identity.startswith(entry)), None)


def _gpus_of_the_machine() -> list[Gpu]:
    """All GPUs that NVIDIA's tool lists or, without the tool, its driver."""
    if tool := shutil.which("nvidia-smi"):
        found = LISTED.findall(subprocess.run([tool, "-L"], capture_output=True, text=True, check=False).stdout)
    else:
        texts = [path.read_text("utf-8") for path in sorted(DRIVER.glob("*/information"))]
        found = [match.groups() for text in texts if (match := INFORMATION.search(text))]
    return [Gpu(identity, model) for model, identity in found]


def lease_gpu() -> Lease | None:
    """Take a GPU that nobody else has, and make it the only one that this process sees; wait while all are taken.

    The kernel takes it back when the process ends, however it ends. Processes of one user on one machine exclude each
    other. In a SLURM job they do so within the job, whose allocation is its own: one GPU is simply used. Returns
    `None` when there is nothing to lease.
    """
    gpus = visible_gpus()
    job = os.environ.get("SLURM_JOB_ID")
    if not gpus or (job and len(gpus) == 1):
        return None
    paths = [_lock_folder() / "-".join(filter(None, (job, gpu.identity.replace("/", "-")))) for gpu in gpus]
    waiting = False
    while True:
        for gpu, path in zip(gpus, paths, strict=True):
            if lock := _lock(path):
                os.environ[VISIBLE] = gpu.identity
                print(f"on the GPU {gpu.identity}{f' ({gpu.model})' if gpu.model else ''}", file=sys.stderr, flush=True)
                return Lease(gpu, lock)
        if not waiting:
            holders = "; ".join(f"{gpu.identity} by {_holder(path)}" for gpu, path in zip(gpus, paths, strict=True))
            print(f"waiting for a GPU, all are taken: {holders}", file=sys.stderr, flush=True)
            waiting = True
        time.sleep(POLL)


def _lock_folder() -> Path:
    """The user's own folder of lock files, which no other user can write to."""
    folder = Path(tempfile.gettempdir()) / f"diagen-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise InputError(f"{folder} belongs to another user, or others can write to it; remove it, or set TMPDIR")
    return folder


def _lock(path: Path) -> TextIO | None:
    """Lock a file, and write into it who has it. Returns what holds the lock, or `None` when another process has it."""
    file = open(path, "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    # Programs that this one starts don't get the open file; a mere fork would, and keep the GPU after our death.
    # What is registered here also keeps the file open to the process's end, whoever forgets the lease.
    os.register_at_fork(after_in_child=file.close)
    file.truncate(0)
    file.write(f"process {os.getpid()} ({Path(sys.argv[0]).name})")
    file.flush()
    return file


def _holder(path: Path) -> str:
    return path.read_text("utf-8", "replace") or "another process"

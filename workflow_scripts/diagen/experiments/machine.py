"""What this machine can run: the memory of its GPU, its own memory, its cores. Free of torch."""

import os
import re
from dataclasses import dataclass

from diagen.config import Embedding, Execution
from diagen.plurals import count
from diagen.runtime.gpu_lease import Gpu, query_gpu, visible_gpus
from diagen.runtime.memory_plan import card_gb, passes_gb, plan_passes

DIFFUSION_GB = 4.27
"""Weights of Stable Diffusion v1-4 in float32: UNet, text encoder and VAE."""
LLAMA_GB = 6.0
"""Memory for Llama 2 7B in 4 bits and its context."""
SHARING = (2, 3, 4)
SHARE_GB = 6.0
"""Memory of a GPU for a job that trains a classifier, with room for its images."""
BFLOAT16 = (8, 0)
"""The compute capability from which NVIDIA's GPUs compute in bfloat16."""


@dataclass(frozen=True)
class Machine:
    """The GPUs that jobs may use (the memory is that of the smallest one), main memory in GB, and CPU cores.

    A memory of `None` is unknown.
    """

    gpus: int
    gpu: str
    gpu_gb: float | None
    bfloat16: bool
    memory_gb: float | None
    cores: int

    @property
    def learns_words(self) -> bool:
        """Whether the GPU has the memory to learn words with Stable Diffusion v1-4, which needs most."""
        return self.gpus > 0 and (self.gpu_gb is None or self.gpu_gb >= needed_gb(self.bfloat16))

    @property
    def jobs_per_gpu(self) -> int:
        """How many jobs that train classifiers may share a GPU, by its memory and by the CPU cores."""
        sharing = [jobs for jobs in SHARING if self.gpu_gb and self.gpu_gb >= jobs * SHARE_GB]
        return max([jobs for jobs in sharing if jobs * Execution().torch_threads * self.gpus <= self.cores], default=1)

    @property
    def runs_llama(self) -> bool:
        """Whether the machine has the memory for a language model of 7B weights in 4 bits."""
        return self.memory_gb is None or self.memory_gb >= LLAMA_GB

    def __str__(self) -> str:
        """The machine for people, such as `1 GPU (NVIDIA A10, 24 GB), 8 CPU cores`."""
        cores = count(self.cores, "CPU core")
        if not self.gpus:
            return f"no NVIDIA GPU, {cores}"
        details = ", ".join(filter(None, (self.gpu, f"{self.gpu_gb:.0f} GB" if self.gpu_gb else "memory unknown")))
        return f"{count(self.gpus, 'GPU')} ({details}), {cores}"


def needed_gb(bfloat16: bool) -> float:
    """The least memory of a GPU, in GB as printed on it, for learning words with Stable Diffusion v1-4."""
    dtype = "bfloat16" if bfloat16 else "float32"
    rows = Execution().words_together * Embedding().batch

    def fits(gb: float) -> bool:
        memory = card_gb(int(gb * 2**30))
        plan = plan_passes(rows, dtype=dtype, image_size=512, weights_gb=DIFFUSION_GB, memory_gb=memory)
        return passes_gb(plan, dtype=dtype, image_size=512, weights_gb=DIFFUSION_GB) <= memory

    return next(gb / 4 for gb in range(8, 100) if fits(gb / 4))


def this_machine() -> Machine:
    """The machine that the program runs on, as far as NVIDIA's tool and the operating system report it."""
    gpus = visible_gpus()
    described = [described for gpu in gpus if (described := _describe(gpu))]
    known = min(described, key=lambda card: card[1], default=("", None, True))
    name = known[0] or next((gpu.model for gpu in gpus), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(len(gpus), name, known[1], known[2], memory, cores)


def _describe(gpu: Gpu) -> tuple[str, float, bool] | None:
    """Name, memory in GiB and bfloat16 of a GPU, from `nvidia-smi`; None if it does not report them."""
    match = re.fullmatch(r"(.+), (\d+), (\d+)\.(\d+)", query_gpu("name,memory.total,compute_cap", gpu))
    if not match:
        return None
    # Drivers keep a part of the memory that is printed on the card.
    return match[1], round(int(match[2]) / 1024, 1), (int(match[3]), int(match[4])) >= BFLOAT16

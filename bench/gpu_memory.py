"""Sample the memory in use on the GPUs of this machine, as reported by their driver."""

import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

INTERVAL = 0.5  # seconds between samples
QUERY = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Sample:
    """The memory in use on all GPUs together, in GB, at a time in seconds since the epoch."""

    time: float
    gb: float


class GpuMemory:
    """Context manager that samples the memory in use in a thread; no samples without NVIDIA's driver."""

    def __init__(self) -> None:
        """Prepare the thread; `samples` fills inside the context."""
        self.samples: list[Sample] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Start sampling."""
        if shutil.which(QUERY[0]):
            self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Stop sampling."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL):
            used = subprocess.run(QUERY, check=True, capture_output=True, text=True).stdout
            self.samples.append(Sample(time.time(), sum(float(line) for line in used.split()) * 2**20 / 1e9))

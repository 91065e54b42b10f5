"""How fast a machine works, as long as no job of the experiment has been measured. Free of torch.

For CUDA, `half` and `single` are rounded down from one NVIDIA H100 (docs/gpus.md). The figures of the CPU come from
threads of a server; `text` on a GPU, and MPS, are guesses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["half", "single", "text"]
"""Passes in half precision, passes in single precision, and tokens that a language model writes one by one."""

TFLOPS: Mapping[str, Mapping[Kind, float]] = {
    "cuda": {"half": 100.0, "single": 20.0, "text": 3.0},
    "mps": {"half": 3.0, "single": 3.0, "text": 1.0},
}
"""Sustained TFLOP/s by kind of device."""
TFLOPS_PER_THREAD = 0.03  # of a CPU, for each kind
READ_SECONDS = 0.02  # of one CPU thread: decoding or encoding an image of 512 pixels
AUGMENT_SECONDS = 0.007  # of one CPU thread: a random view of an image in memory
USEFUL_THREADS = 4  # threads beyond this number make images no faster


@dataclass(frozen=True)
class Rates:
    """TFLOP/s by kind of work, and the CPU threads of a job, which read and augment its images."""

    tflops: Mapping[Kind, float]
    threads: int

    def seconds(self, kind: Kind, tflop: float, read: int = 0, augmented: int = 0) -> float:
        """Seconds for `tflop` operations, and for the images that are `read` from files or written, or `augmented`."""
        images = read * READ_SECONDS + augmented * AUGMENT_SECONDS
        return tflop / self.tflops[kind] + images / min(self.threads, USEFUL_THREADS)


def assumed_rates(device: str, threads: int, *, text_device: str = "cpu") -> Rates:
    """The assumed rates of a job on a `device` (`cpu`, `cuda` or `mps`) with a number of CPU `threads`.

    Language models run on `text_device`: llama.cpp uses a GPU only if it was built for it.
    """
    kinds: tuple[Kind, ...] = ("half", "single", "text")
    on_cpu = dict.fromkeys(kinds, TFLOPS_PER_THREAD * threads)
    tflops = {kind: TFLOPS.get(text_device if kind == "text" else device, on_cpu)[kind] for kind in kinds}
    return Rates(tflops, threads)

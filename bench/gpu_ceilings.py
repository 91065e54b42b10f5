"""Step `ceilings` of `gpu_check`: versions, and rates of matrix products, convolutions and copies on the device."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version

import torch
from torch.nn import functional

from bench.gpu_measure import Clock, Report, median_seconds, switched
from bench.gpu_parts import Setup

STEP = "ceilings"
KINDS = {
    "float32": (torch.float32, False),
    "tf32": (torch.float32, True),
    "float16": (torch.float16, False),
    "bfloat16": (torch.bfloat16, False),
}
WITHIN = {"float32": 5e-5, "tf32": 5e-3, "float16": 5e-3, "bfloat16": 4e-2}
"""Largest error of a sum of n products of standard normal numbers, relative to its standard deviation, sqrt(n)."""


def run(setup: Setup, report: Report, clock: Clock) -> None:
    """Measure all rates."""
    report.add(STEP, "versions", versions(setup))
    edge = 256 if setup.small else 8192
    batch, channels, side = (2, 32, 16) if setup.small else (32, 320, 64)
    kinds = {"float32": KINDS["float32"]} if setup.small else KINDS
    for name, (dtype, tf32) in kinds.items():
        clock.require(2)
        left, right = (torch.randn(edge, edge, device=setup.device).to(dtype) for _ in range(2))
        images = torch.randn(batch, channels, side, side, device=setup.device).to(dtype)
        kernel = torch.randn(channels, channels, 3, 3, device=setup.device).to(dtype)
        summands = 9 * channels
        exact_images = functional.conv2d(images[:1].cpu().double(), kernel.cpu().double(), padding=1)
        with switched(tf32=tf32, fill=False):
            seconds = median_seconds(lambda left=left, right=right: left @ right, setup.device)
            report.add(STEP, f"matmul {name} TFLOP/s", round(2 * edge**3 / seconds / 1e12, 1))
            exact = left[:8].cpu().double() @ right.cpu().double()
            error = ((left @ right)[:8].cpu().double() - exact).abs().max() / edge**0.5
            report.check(STEP, f"matmul {name}, error", float(error), WITHIN[name])
            work = 2 * batch * channels**2 * 9 * side**2 / 1e12
            for layout in (torch.contiguous_format, torch.channels_last):
                convolve = _convolution(images.to(memory_format=layout), kernel.to(memory_format=layout))
                label = "channels_last" if layout == torch.channels_last else "contiguous"
                report.add(
                    STEP, f"conv {name} {label} TFLOP/s", round(work / median_seconds(convolve, setup.device), 1)
                )
                error = (convolve()[:1].cpu().double() - exact_images).abs().max() / summands**0.5
                report.check(STEP, f"conv {name} {label}, error", float(error), WITHIN[name])
    count = (1 << 20) if setup.small else (1 << 30)
    source = torch.randn(count // 4, device=setup.device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), setup.device)
    report.add(STEP, "copy GB/s", round(2 * 4 * len(source) / seconds / 1e9))


def _convolution(images: torch.Tensor, kernel: torch.Tensor) -> Callable[[], torch.Tensor]:
    return lambda: functional.conv2d(images, kernel, padding=1)


def versions(setup: Setup) -> dict[str, object]:
    """Return the versions of Python, libraries, CUDA and driver, and the name of the card."""
    found: dict[str, object] = {"python": platform.python_version(), "torch": torch.__version__}
    found |= {name: version(name) for name in ("diffusers", "transformers", "pydantic")}
    found["threads"] = torch.get_num_threads()
    if setup.cuda:
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "card": properties.name,
            "memory_gb": round(properties.total_memory / 1e9, 1),
        }
        if tool := shutil.which("nvidia-smi"):
            query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
            found["driver"] = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    return found

"""The device of llama.cpp. Its usual build runs on the CPU only; another one uses a GPU."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from diagen.runtime.gpu_lease import lease_for, visible_gpus

PACKAGE = "llama-cpp-python"
BACKENDS = ("cuda", "hip", "metal", "musa", "sycl", "vulkan")
"""The backends for GPUs in the names of llama.cpp's libraries."""


def prepare_llama(device: str) -> str:
    """Lease a GPU if `device` allows one and llama.cpp can use it; returns the device for the record.

    The device is `cuda` with the GPU's model, `mps`, or `cpu`. Call this before `llama_cpp` is imported: llama.cpp sees
    only the leased GPU if it is not initialized yet. Without a GPU or a build that uses it, the CPU is used, and a line
    on standard error says why, unless the configuration asks for the CPU.
    """
    if device == "cpu":
        return "cpu"
    gpus = visible_gpus()
    lease = lease_for(device) if built_for_gpu() else None
    if can_offload():
        model = lease.gpu.model if lease else gpus[0].model if gpus else ""
        return "mps" if sys.platform == "darwin" else f"cuda {model}".rstrip()
    if lease:
        lease.release()
    reason = build_remedy() if gpus or sys.platform == "darwin" else "there is no GPU"
    print(f"on the CPU: {reason}", file=sys.stderr, flush=True)
    return "cpu"


def built_for_gpu() -> bool:
    """Whether llama.cpp has a backend for GPUs, by its files: nothing is imported, so the rules may ask."""
    spec = find_spec("llama_cpp")
    folders = (spec.submodule_search_locations if spec else None) or []
    return any(file for folder in folders for kind in BACKENDS for file in Path(folder, "lib").glob(f"*ggml-{kind}*"))


def can_offload() -> bool:
    """Whether this build of llama.cpp finds a GPU that it can use."""
    if not built_for_gpu():
        return False
    import llama_cpp

    return bool(llama_cpp.llama_supports_gpu_offload())


def build_remedy() -> str:
    """What is wrong with a build of llama.cpp that cannot use the GPU, and the command that builds another one."""
    backend = "METAL" if sys.platform == "darwin" else "CUDA"
    return (
        f"this build of {PACKAGE} cannot use the GPU; to build one that can: CMAKE_ARGS=-DGGML_{backend}=on "
        f".venv/bin/python -m pip install --force-reinstall --no-deps --no-cache-dir --no-binary {PACKAGE} "
        f"{PACKAGE}=={version(PACKAGE)}"
    )

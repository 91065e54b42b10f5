"""A GPU that runs out of memory, in all forms in which torch reports it."""

import pytest
import torch

from diagen.errors import InputError
from diagen.runtime.gpu_memory import explain_full_memory, halve_when_full, shrink_when_full

FULL = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    torch.AcceleratorError("CUDA error: out of memory"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("FIND was unable to find an engine to execute this computation"),
    RuntimeError("Unable to find an engine to execute this computation"),
    RuntimeError("Invalid buffer size: 12.00 GiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("HIP error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB, other allocations: 0.2 GB)"),
)


@pytest.mark.parametrize("error", FULL, ids=str)
def test_work_starts_again_with_half_until_it_fits(error: RuntimeError, capsys: pytest.CaptureFixture[str]) -> None:
    tried = []

    def work(micro_batch: int) -> int:
        tried.append(micro_batch)
        if micro_batch > 3:
            raise error
        return micro_batch

    assert halve_when_full(13, work) == 3
    assert tried == [13, 6, 3]
    assert capsys.readouterr().err.count("out of GPU memory: continuing") == 2


@pytest.mark.parametrize("error", FULL, ids=str)
def test_an_image_that_does_not_fit_is_reported(error: RuntimeError) -> None:
    def work(_: int) -> None:
        raise error

    with pytest.raises(InputError, match=r"not enough GPU memory for a single image \(.*\): free GPU memory"):
        halve_when_full(4, work)


def test_other_errors_are_unchanged() -> None:
    def work(_: int) -> None:
        raise RuntimeError("shape '[2, 3]' is invalid for input of size 5")

    with pytest.raises(RuntimeError, match="invalid for input"):
        halve_when_full(4, work)
    with pytest.raises(RuntimeError, match="invalid for input"), explain_full_memory("a model"):
        work(1)


def test_passes_shrink_in_the_given_order_and_only_when_memory_is_full() -> None:
    tried = []

    def work(size: str) -> str:
        tried.append(size)
        if size != "small":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return size

    smaller = {"large": "medium", "medium": "small", "small": "tiny"}
    assert shrink_when_full("large", smaller.get, str, work) == "small"
    assert tried == ["large", "medium", "small"]

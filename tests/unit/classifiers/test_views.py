"""Views as a GPU computes them, but on the CPU: their pixels, where images are kept, and when they are copied."""

import contextlib
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diagen.classifiers import augmentation
from diagen.classifiers.augmentation import AUGMENTATIONS
from diagen.classifiers.recipe import Recipe
from diagen.classifiers.views import epoch_views, place_images
from diagen.resizing import resize_together

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
shapes = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=9)


def random_images(shapes: list[tuple[int, int]], seed: int) -> list[torch.Tensor]:
    """Images between noise and a flat color, so that operations on histograms meet few and many levels."""
    random = np.random.RandomState(seed)
    images = [random.randint(0, random.randint(2, 257), (*shape, 3)).astype(np.uint8) for shape in shapes]
    return [torch.from_numpy(image).permute(2, 0, 1) for image in images]


@pytest.mark.parametrize("name", AUGMENTATIONS)
@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(30, 60), st.integers(0, 2**31 - 1))
def test_the_batched_path_has_the_same_bits(name: str, shapes: list[tuple[int, int]], size: int, seed: int) -> None:
    images, one = random_images(shapes, seed), AUGMENTATIONS[name]
    draws = torch.rand(len(images), one.draws, generator=torch.Generator().manual_seed(seed))
    expected = one.apply(images, draws, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation, "resize_all", resize_together)
        torch.testing.assert_close(one.apply(images, draws, size), expected, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_gpu_agrees_with_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearest neighbors may differ where a coordinate lies between two pixels, and sums in the last digits."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    images, one = random_images([(40 + 3 * number, 90 - number) for number in range(64)], 1), AUGMENTATIONS[name]
    draws = torch.rand(len(images), one.draws, generator=torch.Generator().manual_seed(2))
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        found = one.apply([image.to(CUDA) for image in images], draws, 48)
        again = one.apply([image.to(CUDA) for image in images], draws, 48)
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
    assert found.is_cuda and torch.equal(found, again)
    off = (found.cpu() - one.apply(images, draws, 48)).abs() > 1e-3
    assert off.float().mean() < (0.01 if name == "randaugment" else 1e-5)


def recipe(augmentation: str) -> Recipe:
    return Recipe(1, 3, 4, 0.01, 0.0, augmentation, 24, "accuracy")


def epoch(images: list[torch.Tensor], device: torch.device, augmentation: str = "standard") -> Callable:
    rows = np.arange(12)[::-1] % len(images)
    generators = {name: torch.Generator().manual_seed(number) for number, name in enumerate(("augmentation", "cutmix"))}
    labels = torch.arange(len(images)) % 2
    return epoch_views(images, labels, rows, 2, recipe(augmentation), generators, device)[0]


@pytest.mark.parametrize(
    ("free", "fraction", "place"),
    [(4 * 6 * 4800, 1.0, "cuda"), (4 * 6 * 4800 - 4, 1.0, "pinned"), (10**9, 1.2e-4, "cuda"), (10**9, 1e-4, "pinned")],
)
def test_images_stay_on_the_gpu_if_a_quarter_of_its_free_memory_holds_them(
    monkeypatch: pytest.MonkeyPatch, free: int, fraction: float, place: str
) -> None:
    """The memory is that of the process, whose `fraction` of the GPU may be a share."""
    images = random_images([(40, 40)] * 6, 0)
    assert all(one is other for one, other in zip(place_images(images, CPU), images, strict=True))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: fraction)
    monkeypatch.setattr(torch.Tensor, "to", lambda image, device: (str(device), image))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda image: ("pinned", image))
    placed = place_images(images, CUDA)
    assert [where for where, _ in placed] == [place] * 6 and all(
        placed[number][1] is images[number] for number in range(6)
    )


def test_batches_in_the_hosts_memory_are_copied_before_work_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies run on a stream of their own, and the views' stream waits for it; here, all of them are records."""
    images, log = random_images([(30 + number, 20) for number in range(5)], 0), list[object]()
    expected = {name: epoch(images, CPU, name) for name in ("standard", "cutmix")}
    move, on = torch.Tensor.to, contextlib.nullcontext()

    def copy(tensor: torch.Tensor, *target: object, **options: object) -> torch.Tensor:
        if target != (CUDA,):
            return move(tensor, *target, **options)
        log.append((tensor, options))
        return tensor.clone()

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "copies")
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: (log.append(stream), on)[1])
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(wait_stream=log.append))
    monkeypatch.setattr(torch.Tensor, "to", copy)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: log.append("record"))
    views = epoch(images, CUDA)
    assert torch.equal(views(range(4, 6)), expected["standard"](range(4, 6)))
    (first, options), (second, _) = log[1:3]
    assert [log[0], *log[3:]] == ["copies", "copies", "record", "record"] and options == {"non_blocking": True}
    assert first is images[7 % 5] and second is images[6 % 5]
    assert torch.equal(epoch(images, CUDA, "cutmix")(range(8)), expected["cutmix"](range(8)))

"""Views as a GPU computes them, but on the CPU: their pixels, where images are kept, and when they are copied."""

import contextlib
from collections.abc import Callable, Iterator

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
def test_a_gpu_agrees_with_the_cpu(name: str) -> None:
    """Nearest neighbors may differ where a coordinate lies between two pixels, and sums in the last digits."""
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


@pytest.mark.parametrize(("free", "place"), [(4 * 6 * 4800, "cuda"), (4 * 6 * 4800 - 4, "pinned")])
def test_images_stay_on_the_gpu_if_a_quarter_of_its_free_memory_holds_them(
    monkeypatch: pytest.MonkeyPatch, free: int, place: str
) -> None:
    images = random_images([(40, 40)] * 6, 0)
    assert all(one is other for one, other in zip(place_images(images, CPU), images, strict=True))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    monkeypatch.setattr(torch.Tensor, "to", lambda image, device: (str(device), image))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda image: ("pinned", image))
    placed = place_images(images, CUDA)
    assert [where for where, _ in placed] == [place] * 6 and all(
        placed[number][1] is images[number] for number in range(6)
    )


class Stream:
    """Records the order of the work on a GPU."""

    def __init__(self, log: list) -> None:
        self.log = log

    def wait_stream(self, other: "Stream") -> None:
        self.log.append("wait")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list:
    """Replaces CUDA's streams by records; copies stay on the CPU."""
    log: list = []
    move = torch.Tensor.to

    @contextlib.contextmanager
    def on(stream: Stream) -> Iterator[None]:
        yield

    def copy(tensor: torch.Tensor, *target: object, **options: object) -> torch.Tensor:
        if target != (CUDA,):
            return move(tensor, *target, **options)
        assert options == {"non_blocking": True}
        log.append(tensor)
        return tensor.clone()

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream(log))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(log))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.Tensor, "to", copy)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    return log


def test_the_next_batch_is_copied_while_the_gpu_computes(log: list) -> None:
    images = random_images([(30 + number, 20) for number in range(5)], 0)
    found, expected = epoch(images, CUDA), epoch(images, CPU)
    counts = []
    for numbers in (range(5), range(5, 10), range(10, 12)):
        assert torch.equal(found(numbers), expected(numbers))
        counts.append([sum(isinstance(entry, torch.Tensor) for entry in log), log.count("wait")])
    assert counts == [[10, 1], [12, 2], [12, 3]], "each draw is copied once, and the next batch before it is asked for"
    rows = np.arange(12)[::-1] % 5
    copied = [entry for entry in log if isinstance(entry, torch.Tensor)]
    assert all(image is images[row] for image, row in zip(copied, rows, strict=True))
    assert not isinstance(log[5], torch.Tensor), "work on a batch waits for its own copies alone"


def test_halved_micro_batches_and_partners_are_copied_too(log: list) -> None:
    images = random_images([(30 + number, 20) for number in range(5)], 0)
    found, expected = epoch(images, CUDA, "cutmix"), epoch(images, CPU, "cutmix")
    for numbers in (range(8), range(4), range(4, 8), range(8, 12)):
        assert torch.equal(found(numbers), expected(numbers))

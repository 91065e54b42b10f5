"""The page of a dataset: numbers of images, omitted files, leaks, and the most similar pairs."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diagen.data.images_file import ImageRow, SkippedImage
from diagen.data.leakage_file import Leak, Twin
from diagen.report.dataset_page import dataset_page


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"<{number}> [é].png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((4, 4, 3), 80 * number, dtype=np.uint8)).save(path)
    return [str(path) for path in paths]


def rows(counts: dict[tuple[str, str], int]) -> list[ImageRow]:
    return [
        ImageRow(f"{split}/{name}/{number}", name, split, 1, 1, "")
        for (split, name), count in counts.items()
        for number in range(count)
    ]


def values_of(page: str, heading: str) -> list[str]:
    (row,) = re.findall(rf'<tr><th scope="row">{heading}</th>(.*?)</tr>', page, re.DOTALL)
    return re.findall(r">([^<>\n]+)</t[dh]>", row)


def leaks(files: list[str]) -> list[Leak]:
    exact = Twin("exact", 0.0, files[0], "pine_tree", files[1], "cup")
    apart = Twin("apart", 0.25, files[2], "cup", files[1], "cup")
    return [
        Leak(seed, shots, "guide", "test", 30, number, 0, (exact, apart) if number else (apart,))
        for (seed, shots), number in zip([(0, 2), (0, 4), (1, 2)], [0, 1, 2], strict=True)
    ]


def test_images_are_counted_by_class_and_split(files: list[str]) -> None:
    counts = {("train_val", "pine_tree"): 5, ("test", "pine_tree"): 3, ("train_val", "cup"): 2, ("test", "cup"): 1}
    skipped = [SkippedImage("a", "cup", "test", "`a` is not an image")] * 2
    page = dataset_page("my_photos", rows(counts), skipped, leaks(files), 0.05)
    assert "Images of my photos" in page
    assert values_of(page, "pine tree") == ["5", "3", "0"]
    assert values_of(page, "cup") == ["2", "1", "2"]
    assert values_of(page, "all") == ["7", "4", "2"]
    assert "2 files are not readable images and were" in " ".join(page.split())
    assert page.count("<li>`a` is not an image</li>") == 2
    assert "uncommon</th>" not in page and "validation</th>" not in page


def test_classes_without_images_in_a_split_are_noted(files: list[str]) -> None:
    counts = {("train_val", "<pine>"): 5, ("train_val", "cup"): 2, ("test", "cup"): 1}
    page = dataset_page("world", rows(counts), [], leaks(files), 0.05)
    assert "`test` has no images of `&lt;pine&gt;`; its mean accuracy leaves out classes without images" in page
    complete = dataset_page("world", rows({**counts, ("test", "<pine>"): 1}), [], leaks(files), 0.05)
    assert "has no images of" not in complete


def test_without_omitted_files_there_is_no_section(files: list[str]) -> None:
    page = dataset_page("world", rows({("train_val", "cup"): 2, ("test", "cup"): 1}), [], leaks(files), 0.05)
    assert "Omitted files" not in page


def test_many_reasons_are_abbreviated_but_counted(files: list[str]) -> None:
    skipped = [SkippedImage(str(number), "cup", "test", f"reason {number}") for number in range(50)]
    page = dataset_page("world", rows({("train_val", "cup"): 2}), skipped, leaks(files), 0.05)
    assert page.count("<li>reason") == 30 and "and 20 more, in skipped.csv" in page and "50 files" in page


def test_leaks_are_means_over_cells_and_marked(files: list[str]) -> None:
    page = dataset_page("world", rows({("test", "cup"): 1}), [], leaks(files), 0.07)
    assert values_of(page, "test images") == ["guide images", "30", "1 (2)", "0"]
    assert page.count('<td class="found">') == 1
    assert "of at most 0.07." in " ".join(page.split()) and "the 3 cells" in page


def test_pairs_are_shown_once_and_texts_escaped(files: list[str]) -> None:
    page = dataset_page("world", rows({("test", "cup"): 1}), [], leaks(files), 0.05)
    assert page.count("<figure>") == 2 and page.count("data:image/png;base64,") == 4
    assert page.index("exact copy") < page.index("no duplicate</b>")
    assert "&lt;0&gt; [é].png</bdi> (<bdi>pine_tree</bdi>)" in page and "<0>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)

"""Measure the gallery and the map of the report at any number of images, repeated from existing ones.

Lays out an experiment in a temporary folder, builds its sections, opens them in Chromium, scrolls and filters. Prints
the time to build, the size of the page, the time from navigation to the first visible images, the longest frame while
scrolling, and the longest response to a filter.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from bench.fake_pictures import lay_out
from bench.picture_page import Opened, opened, write_page
from diagen.report.pictures.sections import picture_sections

SCROLLS = 150  # frames, of a third of the list's height each


def measure(images: int, sources: list[Path], folder: Path) -> dict[str, str]:
    """Build the sections of `images` images in `folder` and open them: what was measured, with its unit."""
    settings, results, store = lay_out(folder, images, sources)
    start, spent = time.perf_counter(), time.process_time()
    sections = picture_sections(settings, results, store)
    page = folder / "page.html"
    write_page(sections, page)
    built, spent = time.perf_counter() - start, time.process_time() - spent
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    with opened(page) as browser:
        return {
            "images": f"{images:,}",
            "time to build": f"{built:.1f} s, {spent:.1f} s of CPU time",
            "memory": f"{megabytes:.0f} MB",
            "size of the page": f"{page.stat().st_size / 1e6:.1f} MB",
            "time to open": f"{browser.opening:.2f} s",
            "longest frame while scrolling": f"{longest_frame(browser):.0f} ms",
            "longest response to a filter": f"{longest_response(browser):.0f} ms",
        }


def longest_frame(browser: Opened) -> float:
    """Milliseconds of the longest frame while the list is scrolled to its end and back."""
    return browser.page.evaluate(
        """async (count) => {
          const scroller = document.querySelector("#gallery .scroller"), step = scroller.clientHeight / 3;
          const frame = () => new Promise(requestAnimationFrame);
          await frame();
          let longest = 0, last = await frame();
          for (let i = 0; i < count; i++) {
            scroller.scrollTop = i % 10 === 9 ? Math.random() * scroller.scrollHeight : scroller.scrollTop + step;
            const now = await frame();
            longest = Math.max(longest, now - last);
            last = now;
          }
          return longest;
        }""",
        SCROLLS,
    )


def longest_response(browser: Opened) -> float:
    """Milliseconds of the longest time from a change of a filter to the frame after the list has changed."""
    return browser.page.evaluate(
        """async () => {
          const form = document.querySelector("#gallery form"), frame = () => new Promise(requestAnimationFrame);
          let longest = 0;
          const values = [["words", "n"], ["words", "night"], ["words", ""], ["order", "high"], ["class", "2"],
            ["class", ""], ["level", "1"], ["method", "1"], ["low", "30"], ["low", "0"], ["order", "guide"],
            ["method", ""], ["level", ""]];
          for (const [name, value] of values) {
            const start = performance.now();
            form.elements.namedItem(name).value = value;
            form.dispatchEvent(new Event("input"));
            await frame();
            await frame();
            longest = Math.max(longest, performance.now() - start);
          }
          return longest;
        }"""
    )


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="synthetic images (default: %(default)s)")
    parser.add_argument(
        "--sources",
        type=Path,
        default=Path("results/store/images"),
        help="folder with PNG files to repeat (default: %(default)s, after a run)",
    )
    arguments = parser.parse_args()
    sources = sorted(arguments.sources.rglob("*.png"))
    if not sources:
        parser.error(f"--sources: no PNG files below {arguments.sources}; run the demo first: make demo")
    with tempfile.TemporaryDirectory() as folder:
        for name, value in measure(arguments.images, sources, Path(folder)).items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()

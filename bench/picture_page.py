"""A page of sections alone, as the report puts them together, to measure and test them in a browser."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from diagen.report.section import Section

_STYLE = """
:root { color-scheme: light dark; --ink: #24292f; --faint: #5c6670; --line: #d9dee3; --ground: #f6f7f8; --card: #fff;
  --accent: #0b6bb5; --good: #18794e; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --faint: #a0a8b0; --line: #3a4148; --ground: #15181b;
  --card: #1e2226; --accent: #58a6e8; --good: #4cc38a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1rem; }
p { max-width: 48rem; }
@media print { :root { --ground: #fff; } }
"""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# The first image of the list is there, decoded, and a frame was drawn with it.
_SHOWN = """() => {
  const picture = document.querySelector("#gallery .tile .picture");
  return picture?.style.backgroundImage && new Promise((done) => {
    const image = new Image();
    image.onload = () => requestAnimationFrame(() => done(true));
    image.src = picture.style.backgroundImage.slice(5, -2);
  });
}"""


@dataclass(frozen=True)
class Opened:
    """A page in Chromium: seconds from navigation to the first image, and messages on its console."""

    page: Page
    opening: float
    messages: list[str]


@contextmanager
def opened(path: Path, *, width: int = 1400, height: int = 1000, dark: bool = False) -> Iterator[Opened]:
    """Open a page with a gallery in a headless Chromium."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_function(_SHOWN)
        yield Opened(page, time.perf_counter() - start, messages)
        browser.close()


def write_page(sections: Sequence[Section], path: Path) -> None:
    """Write a page with `sections` to the file `path`."""
    styles = "".join(section.style for section in sections)
    bodies = "".join(f'<section id="{each.identifier}"><h2>{each.title}</h2>{each.body}</section>' for each in sections)
    data = {key: value for section in sections for key, value in section.data.items()}
    with open(path, "w", encoding="utf-8") as file:
        file.write('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pictures</title>')
        file.write('<meta name="viewport" content="width=device-width, initial-scale=1">')
        file.write(f"<style>{_STYLE}{styles}</style></head><body><main><h1>Pictures</h1>{bodies}</main>")
        for key, value in data.items():
            file.write(f'<script type="text/plain" id="{key}">{value}</script>')
        for section in sections:
            file.write(f"<script>(() => {{{section.script}}})();</script>")
        file.write("</body></html>\n")

"""The report page in a browser: it answers, fits each width, needs no network, and can be read in every way."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diagen.report.assembly import report_page
from diagen.report.results import Results
from tests.browser import CHROMIUM
from tests.report.experiment import Plan, lay_out

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")

WIDTHS = (390, 800, 1400)
DRAWN = "[...document.querySelectorAll('figure.chart')].every((each) => each.querySelector('.plot svg'))"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    plan = Plan(
        name="my_photos", datasets=("my_photos", "second"), methods=("standard", "da_fusion", "strong", "diagen")
    )
    return lay_out(tmp_path_factory.mktemp("experiment"), plan)


@pytest.fixture(scope="module")
def file(results: Results) -> Path:
    path = results.folder / "report.html"
    path.write_text(report_page(results), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """The page in a tab, with what it wrote to the console and asked of the network."""

    def __init__(self, chromium: Any, file: Path, width: int = 1400, **options: Any) -> None:
        self.context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.tab = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.messages.append(message.text))
        self.tab.on("pageerror", lambda error: self.messages.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(file.as_uri())
        self.wait(DRAWN)

    def wait(self, condition: str) -> None:
        """Wait until the JavaScript `condition` holds; the page forbids `eval`, which Playwright's own waiting uses."""
        ends = time.monotonic() + 60
        while not self.tab.evaluate(condition):
            assert time.monotonic() < ends, condition
            time.sleep(0.05)


@pytest.fixture
def opened(chromium: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    page = Opened(chromium, file, **getattr(request, "param", {}))
    yield page
    page.context.close()


@pytest.mark.parametrize("opened", [{"width": width} for width in WIDTHS], indirect=True)
def test_the_page_fits_each_width_without_a_message_or_a_request(opened: Opened, file: Path) -> None:
    assert opened.tab.evaluate(OVERFLOW) <= 0
    assert opened.messages == []
    remote = [url for url in opened.requests if not url.startswith(("data:", "blob:", file.as_uri()))]
    assert remote == []


@pytest.mark.parametrize("opened", [{}, {"color_scheme": "dark"}, {"width": 390}], indirect=True, ids=str)
def test_nothing_serious_hinders_anyone(opened: Opened) -> None:
    from axe_playwright_python.sync_playwright import Axe

    opened.tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(opened.tab).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_a_stranger_finds_the_five_answers_at_the_top(opened: Opened, results: Results) -> None:
    verdicts = opened.tab.locator("#verdict article.primary")
    assert verdicts.count() == 2
    for number, (_, row) in enumerate(results.primary.iterrows()):
        card = verdicts.nth(number)
        assert card.locator("[data-verdict]").inner_text() == row["verdict"]
        assert card.locator(".answer").inner_text() == "Yes, it helps"
        facts = card.locator("dl.facts").inner_text()
        assert f"{100 * row['estimate']:+.1f} points" in facts and "IN WHICH CLASS MOST" in facts.upper()
        assert f"{100 * row['low']:.1f} to " in facts.replace("+", "")
        image = card.locator("img")
        assert image.is_visible() and image.evaluate("(each) => each.naturalWidth > 0")
    box = verdicts.first.locator(".answer").bounding_box()
    assert box is not None and box["y"] < 900, "seen without scrolling"


def test_every_chart_says_in_words_what_it_shows(opened: Opened) -> None:
    figures = opened.tab.locator("figure.chart .plot")
    assert figures.count() > 10
    for each in figures.all():
        assert each.get_attribute("role") == "img" and len(each.get_attribute("aria-label")) > 40
    marks = "[...document.querySelectorAll('.plot svg')].map((each) => each.querySelectorAll('path, text').length)"
    assert min(opened.tab.evaluate(marks)) > 5


def first_column(opened: Opened, table: str) -> list[str]:
    return opened.tab.locator(f"#{table} tbody th").all_inner_texts()


def test_a_table_sorts_by_mouse_and_keyboard(opened: Opened) -> None:
    heads = opened.tab.locator("#accuracy-table-0-test thead th")
    values = opened.tab.locator("#accuracy-table-0-test tbody td:nth-child(2)")
    heads.nth(1).locator("button").click()
    assert heads.nth(1).get_attribute("aria-sort") == "descending"
    numbers = [float(text.split()[0]) for text in values.all_inner_texts()]
    assert numbers == sorted(numbers, reverse=True)
    heads.nth(1).locator("button").press("Enter")
    assert heads.nth(1).get_attribute("aria-sort") == "ascending"
    assert [float(text.split()[0]) for text in values.all_inner_texts()] == sorted(numbers)
    heads.nth(0).locator("button").press("Space")
    assert heads.nth(1).get_attribute("aria-sort") == "none"
    names = first_column(opened, "accuracy-table-0-test")
    assert names == sorted(names, key=str.casefold)


def test_a_table_is_copied_as_csv_and_as_markdown(opened: Opened, results: Results) -> None:
    table = opened.tab.locator("#accuracy-table-0-test")
    table.get_by_role("button", name="Copy as CSV").click()
    table.get_by_text("Copied").wait_for()
    rows = list(csv.reader(io.StringIO(opened.tab.evaluate("navigator.clipboard.readText()"))))
    assert rows[0] == ["Method", "2 shots", "4 shots", "Mean over shots"] and len(rows) == 7
    means = results.means.set_index(["dataset", "split", "method", "shots"])["mean"]
    assert rows[1][1].startswith(f"{100 * means['my_photos', 'test', 'standard', '2']:.1f} (")
    table.get_by_role("button", name="Copy as Markdown").click()
    opened.wait("navigator.clipboard.readText().then((text) => text.startsWith('| Method |'))")


def test_the_navigation_follows_the_reader(opened: Opened) -> None:
    current = opened.tab.locator("nav a[aria-current]")
    assert current.inner_text() == "Verdict"
    opened.tab.get_by_role("link", name="Classes").click()
    opened.wait("document.querySelector('nav a[aria-current]').textContent === 'Classes'")
    assert opened.tab.locator("nav").bounding_box()["y"] <= 0, "it stays at the top"


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_charts_and_page_follow_the_color_scheme_and_print_in_light(opened: Opened) -> None:
    def colors() -> list[str]:
        ground = opened.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        label = "getComputedStyle(document.querySelector('.plot svg .role-axis-label text')).fill"
        return [ground, opened.tab.evaluate(label)]

    def is_dark(color: str) -> bool:
        return sum(int(part) for part in color.strip("rgba()").split(", ")[:3]) < 380

    assert [is_dark(each) for each in colors()] == [True, False]
    opened.tab.emulate_media(color_scheme="light")
    assert [is_dark(each) for each in colors()] == [False, True]
    opened.tab.emulate_media(color_scheme="dark", media="print")
    assert [is_dark(each) for each in colors()] == [False, True]
    assert opened.tab.evaluate(OVERFLOW) <= 0 and not opened.tab.locator("nav").is_visible()


def test_it_prints_with_all_details_open(opened: Opened) -> None:
    assert opened.tab.locator("details:not([open])").count() > 0
    opened.tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.tab.locator("details:not([open])").count() == 0
    opened.tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.tab.locator("details:not([open])").count() > 0
    assert len(opened.tab.pdf(format="A4")) > 50_000


def test_it_links_to_the_provenance_and_says_how_to_make_it(opened: Opened) -> None:
    footer = opened.tab.locator("footer")
    assert footer.get_by_role("link").get_attribute("href") == "provenance.html"
    assert "--report results/my_photos/provenance.html" in footer.inner_text()

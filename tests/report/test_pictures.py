"""Gallery and map in a headless Chromium: filters, keys, dialog, scrolling, map, three widths, dark, print, axe."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from bench.fake_pictures import PER_GUIDE, lay_out
from bench.picture_page import CHROMIUM, opened, write_page
from diagen.report.pictures.sections import picture_sections

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the report in")
IMAGES = 1000


def write_sources(folder: Path, size: int) -> list[Path]:
    """Small images of smooth noise, each with a color of its own."""
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of an experiment of 1,000 images."""
    sources = write_sources(tmp_path_factory.mktemp("sources"), 64)
    folder = tmp_path_factory.mktemp("experiment")
    write_page(picture_sections(*lay_out(folder, IMAGES, sources)), folder / "page.html")
    return folder / "page.html"


@pytest.fixture
def browser(page_file):
    with opened(page_file) as browser:
        yield browser
        assert not browser.messages


@pytest.fixture
def page(browser):
    return browser.page


def count(page) -> str:
    page.wait_for_timeout(60)
    return page.locator("#gallery .count").text_content()


def focused(page) -> str:
    return page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")


def test_filters_and_their_counts(page):
    assert count(page) == "1,000 of 1,000 images, from 50 guide images"
    page.select_option("#gallery [name=class]", label="coffee mug")
    assert count(page) == "100 of 1,000 images, from 5 guide images"
    page.select_option("#gallery [name=method]", label="DIAGen")
    assert count(page) == "50 of 1,000 images, from 5 guide images"
    page.fill("#gallery [name=words]", "NIGHT")
    narrowed = count(page)
    labels = page.locator("#gallery .tile").evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))")
    assert labels and all(label.startswith("coffee mug, ") and "at night" in label for label in labels)
    assert narrowed.startswith(f"{len(labels)} of")
    page.select_option("#gallery [name=level]", label="0.1")
    assert int(count(page).split()[0]) < len(labels)
    page.fill("#gallery [name=words]", "no such word")
    assert count(page).startswith("0 of") and page.locator("#gallery .none").is_visible()
    page.click("#gallery [type=reset]")
    assert count(page) == "1,000 of 1,000 images, from 50 guide images"


def test_order_and_range_of_weights(page):
    page.select_option("#gallery [name=order]", "high")
    page.wait_for_timeout(60)
    shown = page.locator("#gallery .tile").all_text_contents()
    weights = [float(re.search(r"weight ([\d.]+)", text)[1]) for text in shown]
    assert len(weights) > 20 and weights == sorted(weights, reverse=True)
    page.locator("#gallery [name=low]").fill("50")
    assert int(count(page).split()[0]) < 500, "images without weights have none in the range"
    ends = [float(value) for value in page.locator("#gallery output").text_content().split(" to ")]
    assert ends[0] == pytest.approx(ends[1] / 2, rel=0.1)


def test_rows_have_a_guide_image_and_its_images_beside_it(page):
    row = page.locator("#gallery .row[role=group]").first
    assert row.locator(".tile").count() == PER_GUIDE
    guide, tile = row.locator(".guide .picture").bounding_box(), row.locator(".tile").first.bounding_box()
    assert guide["x"] + guide["width"] < tile["x"] and abs(guide["y"] - tile["y"]) < 3
    assert "from guide image 1 of car" in row.get_attribute("aria-label")


def test_only_visible_rows_exist_and_distant_sheets_are_freed(page):
    scroller = page.locator("#gallery .scroller")
    most = decoded = 0
    for step in range(60):
        scroller.evaluate("(each, share) => (each.scrollTop = share * each.scrollHeight)", (step * 37 % 60) / 60)
        page.wait_for_timeout(20)
        most = max(most, page.locator("#gallery .tile").count())
        decoded = max(decoded, page.evaluate("diagenPictures.decoded()"))
    assert 0 < most < 300
    assert decoded <= 24 + 30


def test_thumbnails_are_those_of_their_images(page, page_file):
    """The color in the middle of an image on the screen is that of the file which its dialog names."""
    for place in (0, 7, 23):
        tile = page.locator("#gallery .tile").nth(place)
        tile.click()
        name = page.locator("#gallery dl dd.code").nth(1).text_content()
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
        shot = page_file.parent / "tile.png"
        tile.locator(".picture").first.screenshot(path=shot)
        with Image.open(shot) as screen, Image.open(page_file.parent / "store" / name) as file:
            at = [image.convert("RGB").getpixel((image.width // 2, image.height // 2)) for image in (screen, file)]
        assert np.abs(np.subtract(*at)).max() <= 12


def test_the_dialog_opens_with_keys_and_gives_the_focus_back(page):
    page.locator("#gallery .tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    at = focused(page)
    page.keyboard.press("Enter")
    dialog = page.locator("#gallery dialog")
    assert dialog.is_visible() and dialog.locator("h3").text_content() == "car: image 3 of guide image 1"
    facts = dict(zip(dialog.locator("dt").all_text_contents(), dialog.locator("dd").all_text_contents(), strict=True))
    assert facts["Prompt"] == "a photo of a <car>" and facts["Strength"] == "0.5" and facts["Guidance scale"] == "7.5"
    assert re.fullmatch(r"images/../\w{64}\.png", facts["File in the store"]) and len(facts["SHA-256"]) == 64
    assert facts["Cell"] == "world, seed 0, 5 shots" and facts["Guide image"].endswith(".png")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.wait_for_function("place => document.activeElement.place === place", arg=2)  # after the event of closing
    assert focused(page) == at
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert dialog.locator("h3").text_content() == "car: image 4 of guide image 1"
    page.locator("#gallery dialog >> text=close").click()
    page.wait_for_function("place => document.activeElement.place === place", arg=3)  # that of the image shown last


def test_keys_reach_every_image(page):
    page.locator("#gallery .tile").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.place") == IMAGES - 1
    assert page.evaluate("document.querySelector('#gallery .scroller').scrollTop") > 1000
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.place") == 0
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    assert 0 < page.evaluate("document.activeElement.place") < 100


def test_weights_of_a_method_are_in_the_dialog(page):
    page.select_option("#gallery [name=method]", label="DIAGen")
    page.wait_for_timeout(60)
    page.locator("#gallery .tile").nth(1).click()
    text = page.locator("#gallery dialog").inner_text()
    assert re.search(r"Weight \(DIAGen\)\s+0\.\d+, from confidence q = \d", text)
    assert "standard deviation 0.02" in text


def test_a_point_of_the_map_shows_its_image(page):
    canvas, what = page.locator("#feature-map canvas"), page.locator("#feature-map .what")
    canvas.scroll_into_view_if_needed()
    box, start = canvas.bounding_box(), what.text_content()
    data = page.evaluate("JSON.parse(document.getElementById('feature-map-0').textContent)")
    at = len(data["x"]) - 1  # a guide image, drawn last
    x = box["x"] + 14 + data["x"][at] / data["width"] * (box["width"] - 28)
    y = box["y"] + 14 + data["y"][at] / data["height"] * (box["height"] - 28)
    page.mouse.move(x, y)
    assert what.text_content() == data["classes"][data["class"][at]] + data["texts"][data["text"][at]] != start
    page.wait_for_function("document.querySelector('#feature-map .picture')?.style.backgroundImage")


def test_keys_move_over_the_map_and_legends_hide_points(page):
    canvas, what = page.locator("#feature-map canvas"), page.locator("#feature-map .what")
    page.locator("#feature-map .legend button").first.focus()
    page.keyboard.press("Shift+Tab")
    assert canvas.evaluate("each => each === document.activeElement")
    seen = {what.text_content()}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        seen.add(what.text_content())
    assert len(seen) >= 2
    page.keyboard.press("Escape")
    assert "appears here" in what.text_content()
    for kind in page.locator("#feature-map [data-kind]").all():
        kind.click()
        assert kind.get_attribute("aria-pressed") == "false"
    canvas.focus()
    page.keyboard.press("ArrowRight")
    assert "appears here" in what.text_content(), "hidden points cannot be reached"


def test_the_ladder_has_an_image_for_each_level(page):
    steps = page.locator("#noise-ladder li")
    assert steps.all_inner_texts() == ["guide image", "no noise", "noise 0.02", "noise 0.04", "noise 0.1"]
    loaded = page.locator("#noise-ladder img").evaluate_all("all => all.every((each) => each.naturalWidth > 0)")
    assert loaded and page.locator("#noise-ladder li.used").count() == 3


@pytest.mark.parametrize("width", [390, 800, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_is_found_by_axe_or_runs_over(page_file, width, dark):
    with opened(page_file, width=width, dark=dark) as browser:
        page = browser.page
        page.select_option("#gallery [name=method]", label="DIAGen")
        page.wait_for_timeout(60)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for scene in ("list", "dialog"):
            if scene == "dialog":
                page.locator("#gallery .tile").first.click()
                dialog = page.locator("#gallery dialog").bounding_box()
                assert dialog["x"] >= 0 and dialog["x"] + dialog["width"] <= width
            found = Axe().run(page).response["violations"]
            serious = [each for each in found if each["impact"] in ("serious", "critical")]
            assert not serious, [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in serious]
        assert not browser.messages


def test_paper_shows_a_guide_image_of_each_class_with_its_images(page):
    page.emulate_media(media="print")
    printed = page.locator("#gallery .paper")
    assert printed.is_visible() and not page.locator("#gallery .scroller").is_visible()
    assert printed.locator("h3").count() == 10 and printed.locator("img").count() == 10 * (1 + PER_GUIDE)
    assert printed.locator("img").evaluate_all("all => all.every((each) => each.naturalWidth > 0)")


@pytest.mark.slow
def test_2000_images_build_and_open_quickly(tmp_path, tmp_path_factory):
    sources = write_sources(tmp_path_factory.mktemp("sources"), 64)
    settings, results, store = lay_out(tmp_path, 2000, sources)
    start = time.process_time()
    write_page(picture_sections(settings, results, store), tmp_path / "page.html")
    assert time.process_time() - start < 60
    assert (tmp_path / "page.html").stat().st_size < 30e6
    with opened(tmp_path / "page.html") as browser:
        assert browser.opening < 15, "far more than it takes, for a busy machine"
        assert count(browser.page).startswith("2,000 of 2,000 images")

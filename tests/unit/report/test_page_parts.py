"""The parts of the report page: numbers in words, names, tables, charts, thumbnails, and the frame."""

import json
import re
from math import nan
from pathlib import Path

import altair as alt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from PIL import Image

from diagen.plurals import count
from diagen.report.labels import label, where
from diagen.report.page import words
from diagen.report.page.charts import figure, records, scale_ends
from diagen.report.page.frame import page
from diagen.report.page.looks import PATHS, legend, looks
from diagen.report.page.tables import Cell, Column, Row, number, table
from diagen.report.page.thumbnails import SMALL, thumbnail
from diagen.report.section import Section
from diagen.report.thumbnails import LARGEST


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (words.percent(0.8325), "83.2"),
        (words.percent(nan), "–"),
        (words.points(0.032), "+3.2"),
        (words.points(-0.0041), "−0.4"),
        (words.points(-0.0001), "0.0"),
        (words.interval(0.011, 0.053), "1.1 to 5.3"),
        (words.interval(-0.011, 0.053, signed=True), "−1.1 to +5.3"),
        (words.interval(nan, 0.05), "–"),
        (words.with_minus("Can't: -0.4 points (CI -2 to -1; re-run)."), "Can't: −0.4 points (CI −2 to −1; re-run)."),
        (words.rough(0.97), "97"),
        (words.rough(0.0421), "4.2"),
        (words.rough(0.00001), "<0.01"),
        (words.rough(0.0), "0"),
        (words.rough(1.0), "100"),
        (count(1, "seed"), "1 seed"),
        (count(1200, "class", "classes"), "1,200 classes"),
        (words.listed(["a"]), "a"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.listed([]), ""),
        (label("diagen"), "DIAGen"),
        (label("strength_0_5"), "Strength 0.5"),
        (label("my_own_way"), "My own way"),
        (where("test_uncommon"), "in Uncommon Settings"),
    ],
)
def test_numbers_and_names_in_words(found: str, expected: str) -> None:
    assert found == expected


@given(st.floats(-1, 1))
def test_points_never_show_a_signed_zero(difference: float) -> None:
    text = words.points(difference)
    assert text == "0.0" or text[0] in "+−"
    assert float(text.replace("−", "-")) == pytest.approx(100 * difference, abs=0.0501)


@given(st.floats(0, 100), st.floats(0, 100))
def test_an_axis_shows_all_values_and_is_not_cut_to_a_few_points(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    first, last = scale_ends(low, high, least=30, step=10)
    assert 0 <= first <= low and high <= last <= 100
    assert last - first >= 30
    assert first % 10 == 0 and last % 10 == 0


def test_every_method_has_a_look_and_known_ones_their_own() -> None:
    methods = [*(f"m{number}" for number in range(12)), "diagen", "standard"]
    found = looks(methods)
    assert len({found[name] for name in methods[:8]}) == 8 and found["diagen"] == looks(["diagen"])["diagen"]
    assert all(shape in PATHS for _, shape in found.values())
    assert legend(["diagen"]).count("<li>") == 1 and "DIAGen" in legend(["diagen"])


def test_a_table_holds_sort_values_and_texts_to_copy() -> None:
    rows = [Row([Cell("a|b"), number(1.5, "1.5", "1 to 2")], marked=True), Row([Cell("c"), Cell("–")])]
    found = table("t", "Numbers", [Column("Name", numeric=False), Column("Value")], rows)
    assert '<tr class="marked">' in found and found.count("<tr") == 3
    assert 'data-number="1.5" data-text="1.5 (1 to 2)"' in found
    assert 'data-number="" data-text="–"' in found, "an unknown number sorts as one"
    assert found.count('scope="row"') == 2 and found.count('aria-sort="none"') == 2


def test_a_chart_has_its_description_twice_and_no_network() -> None:
    chart = alt.Chart(records([{"x": 1, "name": "</script><b>"}])).mark_point().encode(x="x:Q", tooltip="name:N")
    found = figure("c", chart, "What it & shows", height=100, title="T", caption="C")
    assert 'role="img" aria-label="What it &amp; shows"' in found and "<figcaption>C</figcaption>" in found
    specification = json.loads(found.partition('class="spec">')[2].partition("</script>")[0])
    assert specification["width"] == "container" and specification["description"] == "What it & shows"
    assert "$schema" not in specification and "config" not in specification
    assert found.count("</script>") == 1


def test_thumbnails_are_embedded_small_or_scaled(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (300, 500, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    Image.fromarray(pixels[:SMALL, :SMALL]).save(tmp_path / "small.png")
    assert 'class="thumbnail small ' in thumbnail(tmp_path / "small.png", "a")
    large = thumbnail(tmp_path / "large.png", "a")
    assert 'class="thumbnail large ' in large and 'src="data:image/webp;base64,' in large
    assert len(large) < 4 * LARGEST**2
    assert 'alt="a &lt;b&gt;"' in thumbnail(tmp_path / "small.png", "a <b>", "worst")


def test_the_frame_holds_sections_scripts_and_data() -> None:
    one = Section(
        "one", "First", Markup("<p>1</p>"), "#one p { color: red; }", "window.ran = 1;", {"one-data": "a,b\n<c"}
    )
    html = page("<t>", Markup("lead"), [one, Section("two", "Second & last", Markup("2"))], Markup("end"))
    assert "<title>&lt;t&gt; – DIAGen report</title>" in html
    assert '<a href="#two">Second &amp; last</a>' in html and '<section id="one"' in html
    assert '<script type="text/plain" id="one-data">a,b\n<c</script>' in html
    assert "#one p { color: red; }" in html and "window.ran = 1;" in html
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']https?:""", html)
    assert html.rstrip().endswith("</html>")


@pytest.mark.parametrize("part", [{"script": "a</script>"}, {"style": "</STYLE>"}, {"data": {"k": "</Script "}}])
def test_a_section_does_not_end_the_element_that_holds_it(part: dict) -> None:
    with pytest.raises(ValueError, match="closing tag"):
        Section("one", "First", Markup(), **part)

"""A section of the report as a reader sees it: its text, and the rows of its tables."""

import re
from html import unescape

from diagen.report.section import Section


def text_of(section: Section | None) -> str:
    """The section's text without charts."""
    assert section is not None
    body = re.sub(r"<script.*?</script>", " ", section.body, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def rows_of(section: Section | None, table: str) -> list[list[str]]:
    """The texts to copy of a table's rows."""
    assert section is not None
    found = re.search(rf'<div class="table" id="{table}">.*?</table>', section.body, re.DOTALL)
    assert found, table
    rows = [re.findall(r'data-text="([^"]*)"', row) for row in re.findall(r"<tr.*?</tr>", found[0], re.DOTALL)]
    return [[unescape(cell) for cell in row] for row in rows if row]

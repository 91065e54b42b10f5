"""Tables that a reader can sort by each column and copy as CSV or Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from markupsafe import Markup

from diagen.report.page.templates import fragment
from diagen.report.page.words import NONE

_TABLE = """<div class="table" id="{{ identifier }}">
<div class="tools"><span class="name">{{ caption }}</span>
<button type="button" data-copy="csv">Copy as CSV</button><button type="button" data-copy="markdown">Copy as Markdown
</button><span class="copied" role="status"></span></div>
<div class="scroll" role="region" aria-label="{{ caption }}" tabindex="0">
<table>
<thead><tr>
{% for column in columns %}
<th scope="col" aria-sort="none"{% if not column.numeric %} class="text"{% endif %}><button type="button">{{ column.name
}}</button></th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}
<tr{% if row.marked %} class="marked"{% endif %}>
{% for cell in row.cells %}
{% if loop.first %}
<th scope="row"{{ cell.attributes }}>{{ cell.body }}</th>
{% else %}
<td{% if not columns[loop.index0].numeric %} class="text"{% endif %}{{ cell.attributes }}>{{ cell.body }}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
</div>"""


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether it holds numbers, which are set to the right."""

    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell: what it shows, the number it is sorted by (its text, if `None`), and a second, smaller line."""

    text: str
    number: float | None = None
    detail: str = ""
    markup: Markup | None = None
    alarm: bool = False

    @property
    def body(self) -> Markup:
        """What the cell shows."""
        content = self.markup if self.markup is not None else fragment("<bdi>{{ text }}</bdi>", text=self.text)
        return content + fragment("<small>{{ detail }}</small>", detail=self.detail) if self.detail else content

    @property
    def attributes(self) -> Markup:
        """Sort value and text to copy as attributes of the element; an unknown number sorts last."""
        known = self.number is not None and not isnan(self.number)
        number = f' data-number="{self.number:.10g}"' if known else ' data-number=""' if self.text == NONE else ""
        copied = f"{self.text} ({self.detail})" if self.detail else self.text
        return Markup(number + (' data-alarm=""' if self.alarm else "")) + fragment(' data-text="{{ t }}"', t=copied)


@dataclass(frozen=True)
class Row:
    """A row of cells, the first of which names it; a marked row is emphasized."""

    cells: Sequence[Cell]
    marked: bool = False


def table(identifier: str, caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Markup:
    """The table with its caption, and buttons to sort and to copy it."""
    return fragment(_TABLE, identifier=identifier, caption=caption, columns=columns, rows=rows)


def number(value: float, text: str, detail: str = "") -> Cell:
    """A cell with the number `value`, written as `text`."""
    return Cell(text, value, detail)

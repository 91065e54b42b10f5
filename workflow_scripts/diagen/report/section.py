"""One section of the report page, which assembles all of them into one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A section of the page.

    `identifier` is the id of its element and the target of the navigation; selectors of `style` start with
    `#identifier`. `script` is JavaScript that runs once in a function of its own, after the document is parsed.
    Each entry of `data` becomes `<script type="text/plain" id="KEY">VALUE</script>`; ValueError if a value holds
    `</script`, which would end the element.
    """

    identifier: str
    title: str
    body: Markup
    style: str = ""
    script: str = ""
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that no part ends the element that holds it."""
        parts = {"style": self.style, "script": self.script, **self.data}
        for name, text in parts.items():
            if "</script" in text.lower() or (name == "style" and "</style" in text.lower()):
                raise ValueError(f"section {self.identifier}: {name} holds a closing tag")

"""MkDocs hook: pages whose text is kept elsewhere in the repository, links into the repository, and equations.

A line `--8<-- "CONTRIBUTING.md"` becomes that file's text. Links lead where they lead in the repository: to a page of
the site where the target is one; otherwise the link becomes the target's name. A link to a missing file stays and fails
the strict build. Fenced blocks of the language `math` (LaTeX) become MathML, which browsers show without a script.
"""

import os
import re
from pathlib import Path

from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^--8<-- "([\w./-]+\.md)"$', flags=re.MULTILINE)
EQUATION = re.compile(r"^```math\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: object, files: object, **_: object) -> str:
    """The page's text as MkDocs is to render it."""
    pages = {ROOT / "docs" / file.src_uri: file.src_uri for file in files}
    # A file that is included whole is a page too, under the name of the page that includes it.
    for path, name in list(pages.items()):
        if path.suffix == ".md" and (found := INCLUDE.search(path.read_text("utf-8"))):
            pages[ROOT / found[1]] = name
    pages[ROOT / "README.md"] = "index.md"
    here = Path(page.file.src_uri).parent

    def with_links(text: str, folder: Path) -> str:
        def link(match: re.Match[str]) -> str:
            text, target, anchor = match[1], (folder / match[2]).resolve(), match[3] or ""
            if target in pages:
                return f"[{text}]({os.path.relpath(pages[target], here)}{anchor})"
            if not target.exists():
                return match[0]
            name = target.relative_to(ROOT).as_posix()
            return f"`{name}`" if text.strip("`") == name else f"{text} (`{name}`)"

        return LINK.sub(link, text)

    def included(match: re.Match[str]) -> str:
        path = ROOT / match[1]
        return with_links(path.read_text("utf-8"), path.parent)

    markdown = INCLUDE.sub(included, with_links(markdown, ROOT / "docs"))
    return EQUATION.sub(lambda block: convert(" ".join(block[1].split()), display="block"), markdown)

"""Write docs/reruns.md: for each module of the library, the rules that a change of its code reruns."""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import get_args

from diagen.config.datasets import Dataset
from diagen.data.adapters.registry import adapter_file
from diagen.embeddings.word_groups import WORD_SOURCES
from diagen.errors import InputError
from diagen.files.atomic import atomic_path
from diagen.generation.fill import IMAGE_SOURCES
from diagen.prompts.sources import MODULES, source_file
from diagen.runtime.fingerprint import LIBRARY, computing_modules, is_left_out
from diagen.runtime.program import run

ROOT = LIBRARY.parent
CODE = re.compile(r'\bcode\("(\w+)"')
INTRODUCTION = """# What a change of the code reruns

A job's key holds a fingerprint of the library modules that compute its result. This table is generated from the code
(`python workflow_scripts/describe_reruns.py`) and checked by a test: a new import that couples a module to one more
rule shows up in the diff.

- Comments, docstrings, layout, annotations and the text of messages rerun nothing, in any module.
- "nothing" marks modules that are left out of all fingerprints: the configuration (its values are part of the key
  themselves), file formats, how a program runs, checks and clean-up. "no rule" marks modules that no rule's result
  depends on.
- `image names` are the names of synthetic images in the store, `word names` those of learned words: a change of any
  other module keeps every image and word that exists.
- `index_dataset (coco)` is the index of datasets of this adapter, `write_prompts (llama)` a prompt set of this source.

| module | reruns |
|---|---|
"""


def sources() -> dict[str, list[Path]]:
    """What each rule's fingerprint starts from, by rule, and what the names in the store start from."""
    programs = sorted(
        {name for rules in (ROOT / "rules").glob("*.smk") for name in CODE.findall(rules.read_text("utf-8"))}
    )
    found = {name: [LIBRARY / f"{name}.py"] for name in programs}
    found["draw_world"] = [ROOT / "demo/world/draw_dataset.py"]
    for adapter in adapters():
        found[f"index_dataset ({adapter})"] = [adapter_file(adapter)]
    for source in MODULES:
        found[f"write_prompts ({source})"] = [source_file(source)]
    return found | {"image names": list(IMAGE_SOURCES), "word names": list(WORD_SOURCES)}


def adapters() -> list[str]:
    """The adapters that the configuration knows."""
    blocks = get_args(get_args(Dataset)[0])
    return [get_args(block.model_fields["adapter"].annotation)[0] for block in blocks]


def table() -> str:
    """The page in Markdown."""
    rules: dict[str, list[str]] = defaultdict(list)
    for rule, files in sources().items():
        for module in computing_modules(*files, roots=(ROOT, LIBRARY)):
            rules[module].append(rule)
    lines = []
    library = [(path, LIBRARY) for path in sorted((LIBRARY / "diagen").rglob("*.py"))]
    for path, root in [*library, *((path, ROOT) for path in sorted((ROOT / "demo/world").glob("*.py")))]:
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        if path.name == "__init__.py":
            continue
        nothing = "nothing" if is_left_out(module) else "no rule"
        lines.append(f"| `{module.removeprefix('diagen.')}` | {', '.join(rules[module]) or nothing} |")
    return INTRODUCTION + "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/reruns.md", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 2 if the file is out of date")
    arguments = parser.parse_args()
    page = table()
    if arguments.check:
        current = arguments.output.read_text("utf-8") if arguments.output.is_file() else ""
        if current != page:
            raise InputError(f"{arguments.output}: out of date. Write it again: python {sys.argv[0]}")
        return
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)

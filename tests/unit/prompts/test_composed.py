"""Prompts composed of adjectives and settings, written in separate calls."""

import re
from pathlib import Path
from typing import Any

import pytest

from diagen.config import ComposedPrompts, LlamaModel
from diagen.errors import InputError
from diagen.prompts.collection import fill_instruction, kept_prompts
from diagen.prompts.composed import compose, compose_class_prompts, phrase_grammar
from diagen.prompts.form import form_fault
from diagen.prompts.llama import load_language_model

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "config/instructions/composed"
LOOKS, SCENES = "{num_prompts} adjectives for {class_name}", "{num_prompts} settings for {class_name}"


def settings(**changes: Any) -> ComposedPrompts:
    return ComposedPrompts(**{"source": "composed", "adjectives": "a.txt", "settings": "s.txt", **changes})


class Parrot:
    """A language model that answers with adjectives or settings, as the instruction asks, and records its calls."""

    def __init__(self, adjectives: str, scenes: str) -> None:
        self.adjectives, self.scenes, self.calls = adjectives, scenes, []

    def reset(self) -> None:
        pass

    def create_chat_completion(self, messages: list[dict], **options: Any) -> dict:
        self.calls.append({"messages": messages, **options})
        text = self.adjectives if "adjectives" in messages[0]["content"] else self.scenes
        return {"choices": [{"message": {"content": text}}]}


def test_pairs_are_composed_in_order_with_the_right_articles() -> None:
    parrot = Parrot("old\nred\nred\norange\n", "the snowy forest\nin an empty street\nrain in the\nocean\n")
    rows = kept_prompts(compose_class_prompts(parrot, ["pine_tree"], LOOKS, SCENES, settings(per_class=3)))
    assert [(row.number, row.prompt) for row in rows] == [
        (0, "a photo of an old pine tree in a snowy forest"),
        (1, "a photo of a red pine tree in an empty street"),
        (2, "a photo of an orange pine tree in an ocean"),
    ]
    assert {call["top_k"] for call in parrot.calls} == {10}
    assert len({call["seed"] for call in parrot.calls}) == len(parrot.calls) == 2


def test_settings_that_name_the_class_are_dropped() -> None:
    parrot = Parrot("red\nold\n", "forest of a pine tree\nstreet\n")
    rows = kept_prompts(compose_class_prompts(parrot, ["pine_tree"], LOOKS, SCENES, settings(per_class=1)))
    assert [row.prompt for row in rows] == ["a photo of an old pine tree in a street"]


def test_too_few_fail_clearly() -> None:
    with pytest.raises(
        InputError, match="`car`: 3 pairs of calls .* returned 1 distinct .*; raise the `temperature` or `max_tokens`"
    ):
        list(compose_class_prompts(Parrot("red\n", "street\n"), ["car"], LOOKS, SCENES, settings(attempts=3)))


def test_grammar_bounds_every_repetition() -> None:
    assert not re.search(r"[*+]|\{\d*,\}", phrase_grammar(5, 6))


@pytest.mark.parametrize("kind", ["adjectives", "settings"])
def test_shipped_instructions(kind: str) -> None:
    assert "pine tree" in fill_instruction((FOLDER / f"{kind}.txt").read_text(), "pine_tree", 10, kind)


def test_a_model_that_was_not_trained_for_it_writes_valid_prompts(stand_ins: Path) -> None:
    llama = load_language_model(LlamaModel(path=str(stand_ins / "llama.gguf"), context=1024), threads=1, gpu=False)
    texts = [(FOLDER / f"{kind}.txt").read_text() for kind in ("adjectives", "settings")]
    block = settings(per_class=3, max_tokens=60, attempts=40)
    rows = kept_prompts(compose_class_prompts(llama, ["car", "pine_tree"], *texts, block))
    assert len({row.prompt for row in rows}) == 6
    assert all(form_fault(row.prompt, row.class_name) is None and " in a" in row.prompt for row in rows)
    llama.close()


def test_composition() -> None:
    assert compose("tiny", "umbrella", "hour-long queue") == "a photo of a tiny umbrella in an hour-long queue"

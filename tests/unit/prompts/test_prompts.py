"""Prompts: their form, the grammar for hostile class names, and what a real GGUF model writes under it."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from diagen.config import LlamaModel, LlamaPrompts
from diagen.data.names import class_label, class_problems
from diagen.errors import InputError
from diagen.prompts.chat_template import check_chat_template
from diagen.prompts.collection import collect, fill_instruction, kept_prompts
from diagen.prompts.form import class_words, form_fault, pseudo_word, to_pseudo_word, with_article
from diagen.prompts.judging import Judge
from diagen.prompts.lines_file import WrittenLine, read_lines, write_lines
from diagen.prompts.llama import load_language_model, prompt_grammar, write_class_prompts
from diagen.prompts.prompts_file import PromptRow, read_prompts, write_prompts

ROOT = Path(__file__).parents[3]
TRAINED = ROOT / "demo/models/llama.gguf"
TEMPLATE = "Write {num_prompts} sentences about a {class_name}."
HOSTILE = ('say "hi"', "back\\slash", "two\nlines", "a]b[c", "C++", "naïve café", "<|im_end|>", 'x" | "y', "root ::= a")
NAMES = (
    st.text(min_size=1, max_size=20).filter(lambda name: not class_problems({class_label(name): ""})).map(class_label)
)


def settings(**changes: Any) -> LlamaPrompts:
    return LlamaPrompts(**{"per_class": 4, "instruction": "text.txt", "max_tokens": 80, **changes})


class Parrot:
    """A language model that repeats the same answers in turn, and records its calls."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.calls = answers, []

    def reset(self) -> None:
        pass

    def create_chat_completion(self, messages: list[dict], **options: Any) -> dict:
        self.calls.append({"messages": messages, **options})
        return {"choices": [{"message": {"content": self.answers[(len(self.calls) - 1) % len(self.answers)]}}]}


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a photo of a pine tree", "a photo of a <pine_tree>"),
        ("a photo of a red Pine Tree at night", "a photo of a red <pine_tree> at night"),
        ("a photo of a pine  tree.", "a photo of a <pine_tree>."),
    ],
)
def test_pseudo_word(prompt: str, expected: str) -> None:
    assert to_pseudo_word(prompt, "pine_tree") == expected


@pytest.mark.parametrize("prompt", ["a photo of a pinetree", "a photo of a pine tree by a pine tree", "a pine trees"])
def test_pseudo_word_needs_one_mention(prompt: str) -> None:
    with pytest.raises(InputError, match="exactly once"):
        to_pseudo_word(prompt, "pine_tree")


def test_names_are_matched_as_whole_words() -> None:
    assert to_pseudo_word("a photo of a car by a carrot", "car") == "a photo of a <car> by a carrot"
    assert to_pseudo_word("a photo of a photo", "photo") == "a photo of a <photo>"


@limits(max_examples=40, deadline=None, derandomize=True)
@given(NAMES)
def test_any_name_can_be_replaced(name: str) -> None:
    prompt = f"a photo of a {class_words(name)} here"
    if class_words(name).casefold() not in ("here", "a"):
        assert to_pseudo_word(prompt, name) == f"a photo of a {pseudo_word(name)} here"
        assert " " not in pseudo_word(name)


@pytest.mark.parametrize(
    ("words", "article"),
    [
        ("airplane", "an"),
        ("red airplane", "a"),
        ("orange car", "an"),
        ("hourglass", "an"),
        ("horse", "a"),
        ("unicycle", "a"),
        ("umbrella", "an"),
        ("used car", "a"),
        ("unusual car", "an"),
        ("Old car", "an"),
        ("one-eyed cat", "a"),
    ],
)
def test_article(words: str, article: str) -> None:
    for given_article in ("a", "an"):
        assert with_article(f"a photo of {given_article} {words}") == f"a photo of {article} {words}"


@pytest.mark.parametrize(
    ("prompt", "valid"),
    [
        ("a photo of a car", True),
        ("a photo of an old car on a street at night", True),
        ("a photo of a old car", False),
        ("a picture of a car", False),
        ("a photo of a truck", False),
        ("a photo of a car next to a car", False),
        ("a photo of a car " + "very " * 14 + "far", False),
        ("a photo of a car in the", False),
    ],
)
def test_validity(prompt: str, valid: bool) -> None:
    assert (form_fault(prompt, "car") is None) is valid


# ---------------------------------------------------------------- instruction


def test_instruction_is_filled() -> None:
    assert fill_instruction(TEMPLATE, "pine_tree", 7, "x.txt") == "Write 7 sentences about a pine tree."
    assert fill_instruction(TEMPLATE + " {}", "{class}", 7, "x.txt").endswith("about a {class}. {}")


def test_placeholders_may_occur_several_times_and_articles_follow_the_name() -> None:
    template = "{num_prompts} of {num_prompts}: a {class_name}, an {class_name}, a red {class_name}, the {class_name}"
    assert fill_instruction(template, "umbrella", 7, "x.txt") == (
        "7 of 7: an umbrella, an umbrella, a red umbrella, the umbrella"
    )
    assert ": a car, a car, a red car" in fill_instruction(template, "car", 7, "x.txt")


@pytest.mark.parametrize("template", ["about {class_name}", "{num_prompts}", "{num_prompts} {class_name} {clas}"])
def test_wrong_placeholders(template: str) -> None:
    with pytest.raises(InputError, match=r"x\.txt"):
        fill_instruction(template, "car", 3, "x.txt")


@pytest.mark.parametrize("path", sorted((ROOT / "config/instructions").glob("*.txt")), ids=lambda path: path.stem)
def test_shipped_instructions(path: Path) -> None:
    filled = fill_instruction(path.read_text(), "pine_tree", 10, str(path))
    assert "pine tree" in filled
    assert not re.search(r"\bcar\b", filled), "small models copy the name of an example into every prompt"


# ---------------------------------------------------------------- writing, with a parrot


def rows_of(llama: Parrot, names: tuple[str, ...] = ("car",), **changes: Any) -> list[PromptRow]:
    return kept_prompts(write_class_prompts(llama, names, TEMPLATE, settings(**changes)))


def test_valid_and_distinct_prompts_are_kept_in_order() -> None:
    answer = "a photo of a car\na photo of a Car\na photo of a red truck\na photo of a old car\na photo of a car at ni"
    rows = rows_of(Parrot(answer, "a photo of a car in snow\n"), per_class=3)
    assert [row.prompt for row in rows] == [
        "a photo of a car",
        "a photo of an old car",
        "a photo of a car in snow",
    ]
    assert [row.number for row in rows] == [0, 1, 2]


def test_too_few_prompts_fail_clearly() -> None:
    parrot = Parrot("a photo of a car\n")
    with pytest.raises(
        InputError, match="`car`: 3 calls .* returned 1 distinct valid prompts, and 2 are needed"
    ) as error:
        rows_of(parrot, per_class=2, attempts=3)
    assert len(parrot.calls) == 3
    assert "refused lines: duplicate 2 (such as `a photo of a car`); raise the `temperature`" in str(error.value)
    assert "context" not in str(error.value)


def test_the_remedy_fits_what_happened() -> None:
    answer = "a photo of a red car a car\na photo of a red red car\na photo of a red red red car\na photo of a ca"
    with pytest.raises(InputError) as error:
        rows_of(Parrot(answer), per_class=2, attempts=2)
    assert "repetition 4 (such as `a photo of a red red car`), form 2 (such as" in str(error.value)
    assert "raise `repeat_penalty` or `temperature` of the prompt set" in str(error.value)
    with pytest.raises(InputError, match="refused lines: none; raise `max_tokens` of the prompt set or `context`"):
        rows_of(Parrot("a photo of a c"), attempts=2)


@pytest.mark.parametrize(("calls", "attempts", "warns"), [(2, 4, False), (3, 4, True), (1, 1, False), (2, 2, True)])
def test_a_class_that_took_many_calls_is_warned_of(
    calls: int, attempts: int, warns: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["a photo of a car of cars\n"] * (calls - 1) + ["a photo of a car\n"]
    rows_of(Parrot(*answers), per_class=1, attempts=attempts)
    warning = (
        f"class `car`: took {calls} of {attempts} calls of the language model; refused lines: repetition {calls - 1} "
    )
    assert (warning in capsys.readouterr().err) is warns


def test_every_line_is_recorded_with_its_verdict(tmp_path: Path) -> None:
    answers = (
        "a photo of a car\na photo of the car\n",
        "a photo of a old car\na photo of a car in\na photo of a big car\n",
    )
    lines = list(write_class_prompts(Parrot(*answers), ["car"], TEMPLATE, settings(per_class=2)))
    assert lines == [
        WrittenLine("car", 0, "a photo of a car", "kept"),
        WrittenLine("car", 0, "a photo of the car", "form"),
        WrittenLine("car", 1, "a photo of an old car", "kept"),
        WrittenLine("car", 1, "a photo of a car in", "cut_off"),
        WrittenLine("car", 1, "a photo of a big car", "spare"),
    ]
    write_lines(lines, tmp_path / "paper.lines.csv")
    assert read_lines(tmp_path / "paper.lines.csv") == lines
    (tmp_path / "paper.lines.csv").write_text("class,call,line,verdict\ncar,0,a photo of a car,good\n")
    with pytest.raises(InputError, match="line 2: unknown verdict 'good'"):
        read_lines(tmp_path / "paper.lines.csv")


def test_any_character_of_a_refused_line_can_be_written(tmp_path: Path) -> None:
    answer = "a photo of a car \x00\ud800\na photo of a car\n"
    lines = list(write_class_prompts(Parrot(answer), ["car"], TEMPLATE, settings(per_class=1)))
    write_lines(lines, tmp_path / "paper.lines.csv")
    assert [each.verdict for each in read_lines(tmp_path / "paper.lines.csv")] == ["form", "kept"]


def test_every_call_is_bounded_seeded_and_explicit() -> None:
    parrot = Parrot("a photo of a car\n", "a photo of a red car\n")
    rows_of(parrot, per_class=2, temperature=0.7, top_p=0.8, top_k=9, min_p=0.2, repeat_penalty=1.3, seed=5)
    first, second = parrot.calls
    assert first["seed"] != second["seed"]
    assert first["max_tokens"] == 2 * 80
    assert (first["temperature"], first["top_p"], first["top_k"]) == (0.7, 0.8, 9)
    assert (first["min_p"], first["repeat_penalty"]) == (0.2, 1.3)
    assert {"min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty", "grammar"} <= set(first)
    assert first["messages"] == [{"role": "user", "content": "Write 2 sentences about a car."}]


def test_grammar_bounds_every_repetition() -> None:
    assert not re.search(r"[*+]", prompt_grammar("car", 5))
    assert not re.search(r"\{\d*,\}", prompt_grammar("car", 5))


def test_name_without_words() -> None:
    with pytest.raises(InputError, match="no words"):
        rows_of(Parrot(""), names=("___",))


def test_table_survives_a_round_trip(tmp_path: Path) -> None:
    rows = [PromptRow("pine_tree", 0, 'a photo of a pine tree, "tall"')]
    write_prompts(rows, tmp_path / "prompts.csv")
    assert read_prompts(tmp_path / "prompts.csv") == rows
    (tmp_path / "other.csv").write_text("class\n")
    with pytest.raises(InputError, match="number, prompt"):
        read_prompts(tmp_path / "other.csv")


# ---------------------------------------------------------------- writing, with llama.cpp


@pytest.fixture(scope="module")
def random_llama(stand_ins: Path) -> Iterator[Any]:
    llama = load_language_model(LlamaModel(path=str(stand_ins / "llama.gguf"), context=1024), threads=1, gpu=False)
    yield llama
    llama.close()


@pytest.mark.parametrize("name", ["pine_tree", "airplane", *HOSTILE])
def test_grammar_holds_for_any_name(random_llama: Any, name: str) -> None:
    rows = kept_prompts(write_class_prompts(random_llama, [name], TEMPLATE, settings(per_class=2, attempts=40)))
    assert len({row.prompt for row in rows}) == 2
    for row in rows:
        assert form_fault(row.prompt, name) is None
        assert class_words(name) in row.prompt


def test_prompts_of_a_class_do_not_depend_on_the_others(random_llama: Any) -> None:
    rows = kept_prompts(write_class_prompts(random_llama, ["cup", "pine_tree"], TEMPLATE, settings()))
    alone = kept_prompts(write_class_prompts(random_llama, ["pine_tree"], TEMPLATE, settings()))
    assert [row for row in rows if row.class_name == "pine_tree"] == alone
    other = kept_prompts(write_class_prompts(random_llama, ["pine_tree"], TEMPLATE, settings(seed=1)))
    assert other != alone


def test_instruction_longer_than_the_context(random_llama: Any) -> None:
    with pytest.raises(InputError, match="raise `context`"):
        list(write_class_prompts(random_llama, ["cup"], TEMPLATE + " on and on" * 1000, settings()))


def test_file_that_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no model")
    with pytest.raises(InputError, match="x.gguf"):
        load_language_model(LlamaModel(path=str(tmp_path / "x.gguf")), threads=1, gpu=False)


TEMPLATES = {
    "valid": ("{{ messages[0]['content'] }}", None),
    "one that refuses": ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
    "a wrong type": ("{{ messages[0]['content'] + 1 }}", "can only concatenate str"),
    "a syntax error": ("{% for message in messages %}", "Unexpected end of template"),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_chat_template_is_checked_without_loading_the_model(
    case: str, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from demo.training import architectures
    from demo.training import stand_ins as writer

    template, problem = TEMPLATES[case]
    monkeypatch.setattr(architectures, "CHAT_TEMPLATE", template)
    writer.write_llama(tmp_path / "x.gguf")
    if problem is None:
        check_chat_template(tmp_path / "x.gguf", "Write.")
    else:
        with pytest.raises(InputError, match=f"x.gguf: its chat template cannot render .*{problem}.*name another GGUF"):
            check_chat_template(tmp_path / "x.gguf", "Write.")
    assert "llama_model_loader" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a photo of a cre\u0300me bru\u0302le\u0301e de\u0301ja\u0300 dog at night", "dog"),
        ("a photo of a drive through", "drive_through"),
    ],
)
def test_lines_in_any_form_of_unicode_and_names_that_end_with_a_preposition_are_kept(line: str, name: str) -> None:
    (row,) = kept_prompts(collect(lambda _: [line], 1, 1, Judge(name, [name]), {}))
    assert row.prompt == unicodedata.normalize("NFC", line)


def test_errors_of_llama_cpp_have_a_remedy_that_fits() -> None:
    class Broken(Parrot):
        def create_chat_completion(self, messages: list[dict], **options: Any) -> dict:
            raise ValueError("Failed to parse grammar")

    with pytest.raises(InputError, match="Failed to parse grammar; name another GGUF file") as error:
        rows_of(Broken(""))
    assert "context" not in str(error.value)


@pytest.mark.skipif(not TRAINED.is_file(), reason="demo/models/llama.gguf is missing")
@pytest.mark.parametrize("instruction", ["paper", "plain", "edge_cases"])
def test_trained_model_writes_enough(instruction: str) -> None:
    llama = load_language_model(LlamaModel(path=str(TRAINED), context=1024), threads=1, gpu=False)
    template = (ROOT / f"config/instructions/{instruction}.txt").read_text()
    rows = kept_prompts(
        write_class_prompts(llama, ["pine_tree", "airplane"], template, settings(per_class=8, max_tokens=40))
    )
    assert len(rows) == 16
    assert all(form_fault(row.prompt, row.class_name) is None for row in rows)
    llama.close()

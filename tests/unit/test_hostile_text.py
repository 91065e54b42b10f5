"""Any class name and prompt is plain text for tokenizer, grammar, tables, weights and pages."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diagen.cells import Cell
from diagen.config.programs import PlanGenerationSettings
from diagen.data.adapters.files import fits_tables
from diagen.data.images_file import ImageRow, SkippedImage, read_images, read_skipped, write_images, write_skipped
from diagen.data.names import class_label, class_problems
from diagen.data.shots_file import Shot, read_shots, write_shots
from diagen.errors import InputError
from diagen.export.image_folder import ExportRow, write_metadata
from diagen.generation.manifest_file import ManifestRow, read_manifest, write_manifest
from diagen.generation.plan import plan_generation
from diagen.generation.plan_file import PlanRow, read_plan, write_plan
from diagen.letters import composed
from diagen.models.pseudo_words import class_words, pseudo_word
from diagen.prompts.collection import fill_instruction
from diagen.prompts.endpoint import answer_lines
from diagen.prompts.form import form_fault, to_pseudo_word
from diagen.prompts.hand_written import read_prompt_table
from diagen.prompts.llama import prompt_grammar
from diagen.prompts.prompts_file import PromptRow, read_prompts, write_prompts
from tests.hostile import CLASSES, LABELS, TEXTS, is_allowed

PATHS = TEXTS.filter(lambda text: "\x00" not in text and fits_tables(text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


# ---------------------------------------------------------------- names


@settings(max_examples=300)
@given(TEXTS)
def test_a_name_has_one_label_and_is_refused_in_a_printable_line(name: str) -> None:
    label = class_label(name)
    assert class_label(label) == class_label(class_words(label)) == label
    for problem in class_problems({label: "folder"}):
        assert problem.startswith("folder: the class name ") and problem.isprintable()


@pytest.mark.parametrize("name", CLASSES)
def test_names_that_are_harmful_only_if_interpreted_are_allowed(name: str) -> None:
    assert is_allowed(class_label(name))


@settings(max_examples=300)
@given(LABELS, LABELS)
@example("a", "x<a>y")
@example("a<b", "a‹b")
def test_no_learned_word_contains_another(one: str, other: str) -> None:
    if not class_problems({one: "one", other: "other"}):
        assert (pseudo_word(one) in pseudo_word(other)) == (one == other)


# ---------------------------------------------------------------- the language model


@pytest.fixture(scope="module")
def grammar_is_valid(stand_ins: Path) -> Iterator[Any]:
    """A function: whether llama.cpp accepts a grammar, for the vocabulary of a model."""
    import llama_cpp

    from diagen.config import LlamaModel
    from diagen.prompts.llama import load_language_model

    llama = load_language_model(LlamaModel(path=str(stand_ins / "llama.gguf"), context=1024), threads=1, gpu=False)
    vocabulary = llama_cpp.llama_model_get_vocab(llama.model)

    def read(grammar: str) -> bool:
        sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
        if sampler:
            llama_cpp.llama_sampler_free(sampler)
        return bool(sampler)

    yield read
    llama.close()


def test_the_language_model_accepts_the_grammar_of_any_name(grammar_is_valid: Any) -> None:
    assert not grammar_is_valid('root ::= "a')

    @settings(max_examples=300)
    @given(LABELS, st.integers(1, 1000))
    def check(label: str, number: int) -> None:
        assert grammar_is_valid(prompt_grammar(label, number))

    check()


@settings(max_examples=200)
@given(LABELS)
def test_an_instruction_contains_the_name_unchanged(label: str) -> None:
    filled = fill_instruction("{num_prompts}: {class_name}!", label, 7, "file")
    assert filled == f"7: {class_words(label)}!"


@settings(max_examples=300)
@given(TEXTS, LABELS)
def test_an_answer_of_an_endpoint_yields_only_valid_prompts(answer: str, label: str) -> None:
    for line in answer_lines(f"a photo of a {class_words(label)} {answer}\n{answer}", cut=False):
        prompt = composed(" ".join(line.split()))
        if form_fault(prompt, label) is None:
            assert to_pseudo_word(prompt, label).count(pseudo_word(label)) == 1
            assert all(letter.isprintable() or ord(letter) > 159 for letter in prompt)


def test_an_endless_line_of_an_answer_is_no_prompt() -> None:
    assert form_fault("a photo of a car in snow" + "w" * 100, "car") is None
    assert form_fault("a photo of a car in snow" + "w" * 200_000, "car") is not None


# ---------------------------------------------------------------- the tokenizer


@pytest.fixture(scope="module")
def tokenizer(stand_ins: Path) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(stand_ins / "stable_diffusion/tokenizer")


def test_tokens_of_any_prompt_are_text_around_the_slots_of_its_learned_word(tokenizer: Any) -> None:
    from diagen.models.diffusion import tokenize

    @settings(max_examples=300)
    @given(LABELS, TEXTS.filter(lambda text: "\ud800" not in text), st.integers(1, 4))
    @example("car", "<|endoftext|> <|startoftext|>", 2)
    def check(label: str, text: str, vectors: int) -> None:
        word = pseudo_word(label)
        prompt = f"a {word} {text.replace(word, '')}"
        tokens = tokenize(tokenizer, [prompt], [word], vectors)
        ids, slots = tokens.ids[0].tolist(), tokens.slots[0].tolist()
        assert len(ids) == len(slots) == tokenizer.model_max_length
        assert [slot for slot in slots if slot >= 0] == list(range(vectors))
        written = [token for token, slot in zip(ids, slots, strict=True) if slot < 0]
        end = written.index(tokenizer.eos_token_id)
        assert written[0] == tokenizer.bos_token_id not in written[1:]
        assert set(written[end:]) == {tokenizer.eos_token_id}

    check()


def test_learned_words_of_any_class_are_kept(folder: Path) -> None:
    import torch

    from diagen.embeddings.words_file import LearnedWord, read_words, write_words

    @settings(max_examples=100)
    @given(st.lists(LABELS, min_size=1, max_size=4, unique=True))
    @example([class_label("__metadata__"), class_label("None")])
    def check(labels: list[str]) -> None:
        words = {label: torch.full((1, 2), float(number)) for number, label in enumerate(labels)}
        write_words([LearnedWord(name, vectors, 0.0) for name, vectors in words.items()], folder / "w.safetensors")
        found = read_words(folder / "w.safetensors")
        assert found.keys() == words.keys() and all(torch.equal(found[name], words[name]) for name in words)

    check()


# ---------------------------------------------------------------- tables


def test_every_table_survives_a_round_trip(folder: Path) -> None:
    table = folder / "table.csv"

    @settings(max_examples=100)
    @given(LABELS, PATHS, TEXTS)
    def check(label: str, path: str, text: str) -> None:
        prompt = " ".join(f"a photo of a {class_words(label)} {text}".split())
        rows: list[tuple[Any, Any, Any]] = [
            (write_images, read_images, ImageRow(path, label, "val", 1, 2, "0")),
            (write_skipped, read_skipped, SkippedImage(path, label, "val", f"`{path}` is broken")),
            (write_shots, read_shots, Shot("guide", label, 0, path, "0")),
        ]
        if form_fault(prompt, label) is None:
            words = to_pseudo_word(prompt, label)
            rows += [
                (write_prompts, read_prompts, PromptRow(label, 0, prompt)),
                (write_plan, read_plan, PlanRow(label, 0, path, "0", 1, words, 0.5, 3, 4)),
                (write_manifest, read_manifest, ManifestRow("i.png", label, 0, 1, words, 0.5, 3, 4, "0", 8)),
            ]
        for write, read, row in rows:
            write([row, row], table)
            assert read(table) == [row, row]
            values = [str(value) for value in dataclasses.astuple(row)]
            assert pd.read_csv(table, dtype=str, keep_default_na=False).to_numpy().tolist() == [values, values]

    check()


def test_the_table_of_an_export_survives_a_round_trip(folder: Path) -> None:
    @settings(max_examples=100)
    @given(LABELS)
    def check(label: str) -> None:
        row = ExportRow("i.png", label, True, "g.png", f"a photo of a {pseudo_word(label)}", 0.5, 0.25, 0.125)
        write_metadata([row], folder / "metadata.csv")
        table = pd.read_csv(folder / "metadata.csv", keep_default_na=False, dtype={"label": str})
        assert table.loc[0].tolist() == list(dataclasses.astuple(row))

    check()


def test_a_table_of_prompts_is_read_or_refused(folder: Path) -> None:
    file = folder / "mine.csv"

    @settings(max_examples=300)
    @given(LABELS, TEXTS.filter(lambda text: "\ud800" not in text), st.booleans())
    @example("car", "in\u2028snow", False)
    @example("car", "in\x00snow", True)
    @example("car", "in " + "x" * 140_000, True)
    @example("car", '"in snow', False)
    def check(label: str, text: str, quoted: bool) -> None:
        prompt = f"a photo of a {class_words(label)} {text}"
        with open(file, "w", encoding="utf-8", newline="") as output:
            if quoted:
                csv.writer(output).writerows([("class", "prompt"), (label, prompt)])
            else:
                output.write(f"class,prompt\n{label},{prompt}\n")
        try:
            (row,) = read_prompt_table(file, [label])
        except InputError as error:
            assert str(file) in str(error)
        else:
            assert (row.class_name, row.number) == (label, 0)
            assert to_pseudo_word(row.prompt, label)

    check()


@pytest.mark.parametrize("space", ["\u2028", "\x85", "\v", "\x1c", "\u00a0"])
def test_lines_of_a_table_of_prompts_end_as_in_text_files(folder: Path, space: str) -> None:
    (folder / "mine.csv").write_text(f"class,prompt\ncar,a car in{space}snow\n", encoding="utf-8")
    assert read_prompt_table(folder / "mine.csv", ["car"]) == [PromptRow("car", 0, "a car in snow")]


@settings(max_examples=200)
@given(st.lists(LABELS, min_size=1, max_size=3, unique=True), st.booleans())
def test_a_plan_uses_each_class_s_own_learned_word(labels: list[str], learned: bool) -> None:
    if class_problems({label: label for label in labels}):
        return
    cell = [Shot("guide", label, 0, "x.jpg", "0") for label in labels]
    options = PlanGenerationSettings(images_per_guide=1, noise_levels=(), learned_words=learned)
    for row in plan_generation(cell, None, options, Cell("world", 0, 1)):
        named = [label for label in labels if pseudo_word(label) in row.prompt]
        assert named == ([row.class_name] if learned else [])
        if not learned:
            assert class_words(row.class_name) in row.prompt


# ---------------------------------------------------------------- pages


class Elements(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_parts_of_the_report_contain_names_prompts_and_paths_as_text(folder: Path) -> None:
    import altair as alt
    from PIL import Image

    from diagen.report.page.charts import figure, records
    from diagen.report.page.tables import Cell, Column, Row, table
    from diagen.report.page.templates import join
    from diagen.report.page.thumbnails import thumbnail

    Image.new("RGB", (8, 8)).save(folder / "i.png")
    plain: list[Elements] = []

    @settings(max_examples=60)
    @given(LABELS, PATHS)
    def check(label: str, path: str) -> None:
        chart = alt.Chart(records([{"name": label, "value": 1}])).mark_bar().encode(x="value:Q", y="name:N")
        columns, row = [Column(f"in {label}"), Column("b")], Row([Cell(label), Cell(path, 1.0, label)])
        page = join([
            table("t", f"of {label}", columns, [row]),
            thumbnail(folder / "i.png", path),
            figure("f", chart, f"about {label}", height=10, title=label, caption=f"at {path}"),
        ])  # fmt: skip
        found = Elements(str(page))
        plain.extend([found] if not plain else [])
        assert found.tags == plain[0].tags and found.attributes == plain[0].attributes
        assert f"of {label}" in found.text and path in found.text.replace("\r", "\n")
        specification = page.partition('class="spec">')[2].partition("</script>")[0]
        (values,) = json.loads(specification)["datasets"].values()
        assert values == [{"name": label, "value": 1}]

    check()
    assert "onerror" not in plain[0].attributes


# ---------------------------------------------------------------- messages


def test_a_message_shows_any_name_and_controls_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from diagen.runtime.program import run

    def main() -> None:
        raise InputError("`a\x1b[2Jb\ud800 \u202eקובץ کتاب\u200cها 😀` is no image\n  - remove it")

    with pytest.raises(SystemExit):
        run(main)
    shown = "`a\\x1b[2Jb\\ud800 \\u202eקובץ کتاب\u200cها 😀` is no image\n  - remove it"
    assert capsys.readouterr().err == f"error: {shown}\n"

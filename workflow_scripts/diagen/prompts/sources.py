"""Selects the source of a prompt set's prompts."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from diagen.config import ComposedPrompts, EndpointPrompts, LlamaPrompts, PromptTable
from diagen.config.programs import WritePromptsSettings
from diagen.errors import InputError
from diagen.prompts.lines_file import KEPT, WrittenLine
from diagen.prompts.refusals import describe_refusals

MODULES = {"llama": "llama", "composed": "composed", "endpoint": "endpoint", "table": "hand_written"}
"""The module of each source."""


def source_file(source: str) -> Path:
    """The file of a source's module. Only this module and its imports decide which prompts a set has."""
    return Path(__file__).with_name(f"{MODULES[source]}.py")


def lines_from_source(
    class_names: Sequence[str], files: Sequence[Path], settings: WritePromptsSettings, *, threads: int, gpu: bool
) -> Iterable[WrittenLine]:
    """Yield judged lines for each class from a table, an endpoint, or the local model on CPU `threads` or a GPU.

    `files` are those of the prompt set: the table, the instruction, or the instructions for adjectives and settings.
    All prompts of a table are kept; a line on standard error lists those that would be refused from another source.
    Raises `InputError` if the source returns too few valid prompts.
    """
    block = settings.prompts
    if isinstance(block, PromptTable):
        return _from_table(files[0], class_names)
    texts = [file.read_text(encoding="utf-8") for file in files]
    if isinstance(block, EndpointPrompts):
        from diagen.prompts.endpoint import connect, write_endpoint_prompts

        return write_endpoint_prompts(connect(block, os.environ), class_names, texts[0], block)
    return _from_llama(class_names, texts, block, settings, threads=threads, gpu=gpu)


def _from_table(file: Path, class_names: Sequence[str]) -> list[WrittenLine]:
    from diagen.prompts.hand_written import read_prompt_table
    from diagen.prompts.judging import Judge

    rows = read_prompt_table(file, class_names)
    judges = {name: Judge(name, class_names) for name in class_names}
    verdicts = [(row, judges[row.class_name].blemish(row.prompt)) for row in rows]
    doubtful = [WrittenLine(row.class_name, 0, row.prompt, verdict) for row, verdict in verdicts if verdict]
    if doubtful:
        print(
            f"{file}: {len(doubtful)} of {len(rows)} prompts are unusual, and kept: {describe_refusals(doubtful)}; "
            "check them",
            file=sys.stderr,
        )
    return [WrittenLine(row.class_name, 0, row.prompt, KEPT) for row in rows]


def _from_llama(
    class_names: Sequence[str],
    texts: Sequence[str],
    block: LlamaPrompts | ComposedPrompts,
    settings: WritePromptsSettings,
    *,
    threads: int,
    gpu: bool,
) -> Iterable[WrittenLine]:
    from diagen.prompts.chat_template import check_chat_template
    from diagen.prompts.llama import load_language_model, write_class_prompts

    if settings.llama is None:
        raise InputError("--settings: the prompt set uses a language model, but `llama` is missing; add `models.llama`")
    check_chat_template(settings.llama.location, texts[0])
    llama = load_language_model(settings.llama, threads=threads, gpu=gpu)
    if isinstance(block, ComposedPrompts):
        from diagen.prompts.composed import compose_class_prompts

        return compose_class_prompts(llama, class_names, texts[0], texts[1], block)
    return write_class_prompts(llama, class_names, texts[0], block)

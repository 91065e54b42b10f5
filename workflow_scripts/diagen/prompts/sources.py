"""Selects the source of a prompt set's prompts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from diagen.config import ComposedPrompts, EndpointPrompts, LlamaPrompts, PromptTable
from diagen.config.programs import WritePromptsSettings
from diagen.errors import InputError
from diagen.prompts.prompts_file import PromptRow

MODULES = {"llama": "llama", "composed": "composed", "endpoint": "endpoint", "table": "hand_written"}
"""The module of each source."""


def source_file(source: str) -> Path:
    """The file of a source's module. Only this module and its imports decide which prompts a set has."""
    return Path(__file__).with_name(f"{MODULES[source]}.py")


def prompts_from_source(
    class_names: Sequence[str], files: Sequence[Path], settings: WritePromptsSettings, *, threads: int, gpu: bool
) -> Iterable[PromptRow]:
    """Yield prompts for each class from a table, an endpoint, or the local language model on CPU `threads` or a GPU.

    `files` are those of the prompt set: the table, the instruction, or the instructions for adjectives and settings.
    Raises `InputError` if the source returns too few valid prompts.
    """
    block = settings.prompts
    if isinstance(block, PromptTable):
        from diagen.prompts.hand_written import read_prompt_table

        return read_prompt_table(files[0], class_names)
    texts = [file.read_text(encoding="utf-8") for file in files]
    if isinstance(block, EndpointPrompts):
        from diagen.prompts.endpoint import connect, write_endpoint_prompts

        return write_endpoint_prompts(connect(block, os.environ), class_names, texts[0], block)
    return _from_llama(class_names, texts, block, settings, threads=threads, gpu=gpu)


def _from_llama(
    class_names: Sequence[str],
    texts: Sequence[str],
    block: LlamaPrompts | ComposedPrompts,
    settings: WritePromptsSettings,
    *,
    threads: int,
    gpu: bool,
) -> Iterable[PromptRow]:
    from diagen.prompts.llama import load_language_model, write_class_prompts

    if settings.llama is None:
        raise InputError("--settings: the prompt set uses a language model, but `llama` is missing; add `models.llama`")
    llama = load_language_model(settings.llama, threads=threads, gpu=gpu)
    if isinstance(block, ComposedPrompts):
        from diagen.prompts.composed import compose_class_prompts

        return compose_class_prompts(llama, class_names, texts[0], texts[1], block)
    return write_class_prompts(llama, class_names, texts[0], block)

"""Prompts from a local language model (section 3.3): a grammar enforces the form, the model chooses the words."""

import string
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diagen.config import ComposedPrompts, LlamaModel, LlamaPrompts
from diagen.errors import InputError
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import collect, fill_instruction, prompt_rows
from diagen.prompts.form import ADJECTIVES, SETTING_WORDS
from diagen.prompts.prompts_file import PromptRow
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from llama_cpp import Llama


def prompt_grammar(class_name: str, num_prompts: int) -> str:
    """A GBNF grammar of `num_prompts` lines of the paper's form; the class name is the only fixed word in it."""
    return (
        f"root ::= line{{{num_prompts}}}\n"
        f'line ::= "a photo of a" "n"? " " (word " "){{0,{ADJECTIVES}}} {_literal(class_words(class_name))} '
        f'(" " word){{0,{SETTING_WORDS}}} "\\n"\n'
        'word ::= part ("-" part)?\n'
        "part ::= [a-z]{1,16}\n"
    )


def _literal(text: str) -> str:
    """The text as a GBNF string: all but ASCII letters, digits and spaces are code points, so none is syntax."""
    plain = string.ascii_letters + string.digits + " "
    return '"' + "".join(letter if letter in plain else f"\\U{ord(letter):08X}" for letter in text) + '"'


def load_language_model(model: LlamaModel, *, threads: int, gpu: bool) -> "Llama":
    """Load the GGUF model from its local file, on `threads` CPU threads or a GPU.

    Raises `InputError` if llama.cpp cannot load the file.
    """
    from llama_cpp import Llama

    try:
        return Llama(
            model_path=str(model.location),
            n_ctx=model.context,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=-1 if gpu else 0,
            verbose=False,
        )
    except ValueError as error:
        raise InputError(f"models.llama: {error}; name a GGUF file that llama.cpp can load") from None


def write_class_prompts(
    llama: "Llama", class_names: Sequence[str], template: str, settings: LlamaPrompts
) -> Iterator[PromptRow]:
    """Yield `settings.per_class` distinct, valid prompts for each class, in the order of `class_names`.

    A class's prompts depend only on its name, the model, the instruction `template` and the settings. Raises
    `InputError`, naming the class, if `settings.attempts` calls of the model do not return enough.
    """

    def prompts_of(class_name: str) -> list[str]:
        instruction = fill_instruction(template, class_name, settings.per_class, settings.instruction)
        grammar = prompt_grammar(class_name, settings.per_class)
        bound = settings.max_tokens * settings.per_class

        def answer(attempt: int) -> list[str]:
            return ask(llama, instruction, grammar, settings, bound, (class_name, attempt, "prompts"))

        return collect(class_name, answer, settings.per_class, settings.attempts, settings.instruction)

    yield from prompt_rows(class_names, prompts_of)


def ask(
    llama: "Llama",
    instruction: str,
    grammar: str,
    settings: LlamaPrompts | ComposedPrompts,
    max_tokens: int,
    seed_parts: tuple[str | int, ...],
) -> list[str]:
    """Request one answer under the grammar; returns its complete lines, without one that `max_tokens` cut off.

    All sampling parameters are explicit. Without a seed, llama.cpp repeats itself; without `reset` it continues from
    the tokens of the previous call, so that a class's prompts would depend on the order of the classes.
    """
    from llama_cpp import LlamaGrammar

    llama.reset()
    try:
        answer = llama.create_chat_completion(
            [{"role": "user", "content": instruction}],
            grammar=LlamaGrammar.from_string(grammar, verbose=False),
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            min_p=0.0,
            typical_p=1.0,
            repeat_penalty=1.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            max_tokens=max_tokens,
            seed=stable_seed(settings.seed, *seed_parts),
        )
    except ValueError as error:
        raise InputError(f"class `{seed_parts[0]}`: {error}; raise `context` of `models.llama`") from None
    return (answer["choices"][0]["message"]["content"] or "").split("\n")[:-1]

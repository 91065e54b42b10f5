"""Prompts from a local language model (section 3.3): a grammar enforces the form, the model chooses the words."""

import string
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from diagen.config import ComposedPrompts, LlamaModel, LlamaPrompts
from diagen.errors import InputError, Problem
from diagen.models.pseudo_words import class_words
from diagen.prompts.collection import collect, fill_instruction, lines_of_classes
from diagen.prompts.form import ADJECTIVES, SETTING_WORDS
from diagen.prompts.judging import LONGEST_PART, Judge
from diagen.prompts.lines_file import WrittenLine
from diagen.prompts.refusals import FEW_LINES
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from llama_cpp import Llama

REMEDIES = {
    FEW_LINES: Problem("raise `max_tokens` of the prompt set or `context` of `models.llama`"),
    "repetition": Problem("raise `repeat_penalty` or `temperature` of the prompt set, use a larger language model"),
}
"""Remedies of a local language model."""
WORD_RULES = f'word ::= part ("-" part)?\npart ::= [a-z]{{1,{LONGEST_PART + 1}}}\n'
"""The GBNF rules of a word. One letter more than a prompt's shows that a word was stopped by its bound."""


def prompt_grammar(class_name: str, num_prompts: int) -> str:
    """A GBNF grammar of `num_prompts` lines of the paper's form; the class name is the only fixed word in it.

    Its bounds exceed those of a prompt by one, so that a line that stopped by itself differs from one that was stopped.
    """
    return (
        f"root ::= line{{{num_prompts}}}\n"
        f'line ::= "a photo of a" "n"? " " (word " "){{0,{ADJECTIVES}}} {_literal(class_words(class_name))} '
        f'(" " word){{0,{SETTING_WORDS + 1}}} "\\n"\n'
    ) + WORD_RULES


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
) -> Iterator[WrittenLine]:
    """Yield the lines of each class, `settings.per_class` of them kept, in the order of `class_names`.

    The lines of a class depend on the model, the instruction `template`, the settings and the class's name, and their
    verdicts on the other names too, which no prompt may mention. Raises `InputError`, naming the class, if
    `settings.attempts` calls of the model do not return enough.
    """

    def lines_of(class_name: str) -> list[WrittenLine]:
        instruction = fill_instruction(template, class_name, settings.per_class, settings.instruction)
        grammar = prompt_grammar(class_name, settings.per_class)
        bound = settings.max_tokens * settings.per_class

        def answer(attempt: int) -> list[str]:
            return ask(llama, instruction, grammar, settings, bound, (class_name, attempt, "prompts"))

        judge = Judge(class_name, class_names, instruction)
        return collect(answer, settings.per_class, settings.attempts, judge, REMEDIES)

    yield from lines_of_classes(class_names, lines_of)


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
            min_p=settings.min_p,
            typical_p=1.0,
            repeat_penalty=settings.repeat_penalty,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            max_tokens=max_tokens,
            seed=stable_seed(settings.seed, *seed_parts),
        )
    except ValueError as error:
        raise InputError(f"class `{seed_parts[0]}`: {error}; {_remedy(error)}") from None
    return (answer["choices"][0]["message"]["content"] or "").split("\n")[:-1]


def _remedy(error: ValueError) -> Problem:
    """What helps against an error of llama.cpp. A chat template that fails is found before (`chat_template.py`)."""
    if "exceed context window" in str(error):
        return Problem("raise `context` of `models.llama`, or shorten the instruction")
    return Problem("name another GGUF file in `models.llama`")

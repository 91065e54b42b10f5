"""Prompts that a language model writes for each class, in the paper's form (section 3.3).

`a photo of a [adjectives] <class> [weather, location, time of day]`: a grammar holds the model to the form, the words
are the model's own.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diagen.config import ComposedPrompts, LlamaModel, LlamaPrompts
from diagen.errors import InputError
from diagen.letters import CONTROL
from diagen.progress import progress
from diagen.pseudo_words import class_words, pseudo_word
from diagen.result_files import read_rows, write_rows
from diagen.seeds import stable_seed

if TYPE_CHECKING:
    from llama_cpp import Llama

COLUMNS = ("class", "number", "prompt")
PLACEHOLDERS = {"num_prompts", "class_name"}
ADJECTIVES = 3  # words at most before the class name
SETTING_WORDS = 10  # words at most after it
LONGEST = 5_000  # letters of a prompt from anywhere
STEM = re.compile(r"a photo of an? ", re.IGNORECASE)
ENDINGS_CUT = frozenset("a an the in on at of by with under over near from to and or during through behind".split())
"""Words that no sentence ends with: the grammar's bound cut this one short."""
SOUNDS_LIKE_A_CONSONANT = re.compile(r"(uni|use|usu|uti|euro|eu|ewe|one|once|ubi)")
SOUNDS_LIKE_A_VOWEL = re.compile(r"(hour|honest|honou?r|heir)")


@dataclass(frozen=True)
class PromptRow:
    """The `number`-th prompt (from 0) of a class; in `prompt` the class name stands in words, without underscores."""

    class_name: str
    number: int
    prompt: str


# ---------------------------------------------------------------- the text of a prompt


def to_pseudo_word(prompt: str, class_name: str) -> str:
    """The prompt with the class's pseudo-word in place of its name.

    Raises `InputError` unless the name is there exactly once, as whole words, in any case, and for what no prompt can
    hold: control characters, the pseudo-word itself, or more letters than a table's reader takes.
    """
    problem = _problem(prompt, class_name)
    if problem is not None:
        raise InputError(problem)
    ((start, end),) = _mentions(prompt, class_name)
    return prompt[:start] + pseudo_word(class_name) + prompt[end:]


def _problem(prompt: str, class_name: str) -> str | None:
    """Why the class's pseudo-word can't be put into the prompt, as a sentence with the remedy."""
    if len(prompt) > LONGEST:
        return f"the prompt `{prompt[:80]}...` has {len(prompt)} letters; {LONGEST} are possible, and fewer are read"
    if CONTROL.search(prompt):
        return f"the prompt `{prompt}` holds control characters; remove them"
    if pseudo_word(class_name) in prompt:
        return (
            f"the prompt `{prompt}` holds `{pseudo_word(class_name)}`, the learned word; write the class name instead"
        )
    mentions = len(_mentions(prompt, class_name))
    if mentions != 1:
        return (
            f"the prompt `{prompt}` holds `{class_words(class_name)}` {mentions} times; "
            "a prompt must hold its class name exactly once"
        )
    return None


def is_valid(prompt: str, class_name: str) -> bool:
    """Whether the prompt has the paper's form: its beginning with the right article, the class name exactly once,
    no more words than asked for, and an end that is one."""
    words = prompt.split()
    longest = 4 + ADJECTIVES + len(class_words(class_name).split()) + SETTING_WORDS
    return (
        STEM.match(prompt) is not None
        and prompt == with_article(prompt)
        and _problem(prompt, class_name) is None
        and len(words) <= longest
        and words[-1] not in ENDINGS_CUT
    )


def with_article(prompt: str) -> str:
    """The prompt with `a` or `an` at its beginning as the sound of the next word asks."""
    return STEM.sub(f"a photo of {article(STEM.sub('', prompt, count=1))} ", prompt, count=1)


def article(following: str) -> str:
    """`a` or `an`, as the sound of the text that follows asks."""
    following = following.lower()
    vowel = following[:1] in tuple("aeiou") and not SOUNDS_LIKE_A_CONSONANT.match(following)
    return "an" if vowel or SOUNDS_LIKE_A_VOWEL.match(following) else "a"


def _mentions(prompt: str, class_name: str) -> list[tuple[int, int]]:
    """Where the class name stands in the prompt; in `a photo of a photo` the form's own words don't count."""
    stem = STEM.match(prompt)
    name = r"\s+".join(re.escape(word) for word in class_words(class_name).split())
    pattern = re.compile(rf"(?<!\w){name}(?!\w)", re.IGNORECASE)
    return [match.span() for match in pattern.finditer(prompt, stem.end() if stem else 0)]


# ---------------------------------------------------------------- instruction and grammar


def fill_instruction(template: str, class_name: str, num_prompts: int, file: str) -> str:
    """The instruction with its two placeholders filled in; `file` names it in messages.

    Raises `InputError` when a placeholder is missing or unknown.
    """
    found = set(re.findall(r"\{(\w+)\}", template))
    if found != PLACEHOLDERS:
        wrong = [f"lacks `{{{name}}}`" for name in sorted(PLACEHOLDERS - found)]
        wrong += [f"has the unknown placeholder `{{{name}}}`" for name in sorted(found - PLACEHOLDERS)]
        raise InputError(f"the instruction {file} {' and '.join(wrong)}; it needs {{num_prompts}} and {{class_name}}")
    return template.replace("{num_prompts}", str(num_prompts)).replace("{class_name}", class_words(class_name))


def prompt_grammar(class_name: str, num_prompts: int) -> str:
    """A GBNF grammar of `num_prompts` lines of the paper's form. It fixes no word but the class name."""
    return (
        f"root ::= line{{{num_prompts}}}\n"
        f'line ::= "a photo of a" "n"? " " (word " "){{0,{ADJECTIVES}}} {_literal(class_words(class_name))} '
        f'(" " word){{0,{SETTING_WORDS}}} "\\n"\n'
        'word ::= part ("-" part)?\n'
        "part ::= [a-z]{1,16}\n"
    )


def _literal(text: str) -> str:
    """The text as a GBNF string: all but plain letters, digits and spaces as code points, so that none is syntax."""
    plain = string.ascii_letters + string.digits + " "
    return '"' + "".join(letter if letter in plain else f"\\U{ord(letter):08X}" for letter in text) + '"'


# ---------------------------------------------------------------- the language model


def load_language_model(model: LlamaModel, *, threads: int, gpu: bool) -> "Llama":
    """The GGUF model in its local file, on `threads` CPU threads or a GPU.

    Raises `InputError` when llama.cpp can't load the file.
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
        raise InputError(f"models.llama: {error}; it must be a GGUF file that llama.cpp can load") from None


def write_class_prompts(
    llama: "Llama", class_names: Sequence[str], template: str, settings: LlamaPrompts
) -> Iterator[PromptRow]:
    """`settings.per_class` distinct, valid prompts for each class, in the order of `class_names`.

    A class's prompts depend on its name, the model, the instruction `template` and the settings alone. Raises
    `InputError` naming the class when `settings.attempts` calls of the model don't yield enough.
    """

    def prompts_of(class_name: str) -> list[str]:
        instruction = fill_instruction(template, class_name, settings.per_class, settings.instruction)
        grammar = prompt_grammar(class_name, settings.per_class)
        bound = settings.max_tokens * settings.per_class

        def answer(attempt: int) -> list[str]:
            return ask(llama, instruction, grammar, settings, bound, (class_name, attempt, "prompts"))

        return collect(class_name, answer, settings.per_class, settings.attempts, settings.instruction)

    yield from prompt_rows(class_names, prompts_of)


def prompt_rows(class_names: Sequence[str], prompts_of: Callable[[str], list[str]]) -> Iterator[PromptRow]:
    """The numbered prompts of each class, in the order of `class_names`.

    Raises `InputError` for a class name that holds no words.
    """
    for class_name in progress(class_names, total=len(class_names), label="write_prompts", unit="classes"):
        if not class_words(class_name):
            raise InputError(f"the class name `{class_name}` holds no words to write about; rename the class")
        for number, prompt in enumerate(prompts_of(class_name)):
            yield PromptRow(class_name, number, prompt)


def collect(
    class_name: str, answer: Callable[[int], list[str]], wanted: int, attempts: int, instruction: str
) -> list[str]:
    """`wanted` distinct, valid prompts from the lines that `answer` gives at each attempt.

    Raises `InputError`, which names the class and the file of the `instruction`, when they aren't enough.
    """
    found: dict[str, str] = {}
    for attempt in range(attempts):
        for line in answer(attempt):
            prompt = with_article(" ".join(line.split()))
            if is_valid(prompt, class_name):
                found.setdefault(prompt.casefold(), prompt)
        if len(found) >= wanted:
            return list(found.values())[:wanted]
    raise InputError(
        f"class `{class_name}`: {attempts} calls of the language model gave {len(found)} distinct valid "
        f"prompts of the {wanted} asked for; raise `attempts`, `max_tokens` or `temperature` of the prompt set or the "
        f"`context` of `models.llama`, lower its `per_class`, or change the instruction {instruction}"
    )


def ask(
    llama: "Llama",
    instruction: str,
    grammar: str,
    settings: LlamaPrompts | ComposedPrompts,
    max_tokens: int,
    seed_parts: tuple[str | int, ...],
) -> list[str]:
    """The whole lines of one answer under the grammar; a last line that `max_tokens` cut off is dropped.

    Nothing is left to defaults: without a seed, llama.cpp repeats itself, and it would go on from the tokens of the
    call before if it weren't reset, so that a class's prompts would depend on which came first.
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
        raise InputError(f"class `{seed_parts[0]}`: {error}; raise `context` of models.llama") from None
    return (answer["choices"][0]["message"]["content"] or "").split("\n")[:-1]


# ---------------------------------------------------------------- table


def write_prompts(rows: Iterable[PromptRow], path: Path) -> None:
    """Write `rows` to the CSV file `path`, which appears whole or not at all."""
    write_rows(COLUMNS, map(astuple, rows), path)


def read_prompts(path: Path) -> list[PromptRow]:
    """Read a `prompts.csv`. Raises `InputError` when it is damaged."""
    return read_rows(
        path,
        COLUMNS,
        "write_prompts",
        lambda values: PromptRow(values["class"], int(values["number"]), values["prompt"]),
    )

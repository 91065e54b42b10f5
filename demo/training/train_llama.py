"""Trains a small Llama: it reads an instruction and writes prompts about the class that the instruction names."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from llama_cpp import Llama, LlamaGrammar
from torch import Tensor
from torch.nn import functional

from demo.training.architectures import MODELS, LlamaVocabulary, llama_model, write_llama_gguf
from demo.training.captions import LARGE_WORDS, PLACE_PHRASES, SMALL_WORDS, TIME_PHRASES, with_article
from demo.training.loop import metrics_path, train, training_arguments, write_metrics
from demo.world.scenes import CLASSES, COLORS, COMMON_PLACES, PLACES
from diagen.prompts.collection import fill_instruction
from diagen.prompts.llama import prompt_grammar

NAME = "llama"
SEED = 4_000_000
STEPS = 2200
BATCH = 16
COPYING_STEPS = 350
SHARP_STEPS = 1400
COMPOSING_STEP = 1515
SHAPE = {"width": 128, "layers": 4, "heads": 4, "inner": 352}
FOLDER = Path(__file__).resolve().parents[2] / "config" / "instructions"
INSTRUCTIONS = {path.stem: path.read_text("utf-8").strip() for path in sorted(FOLDER.glob("*.txt"))}
COMPOSED = {path.stem: path.read_text("utf-8").strip() for path in sorted((FOLDER / "composed").glob("*.txt"))}
Habits = dict[str, tuple[float, float, float, float]]
# Per instruction: probabilities of an adjective, a place and a time of day, and that the place is a common one.
HABITS = {
    "paper": (0.70, 0.80, 0.50, 0.55),
    "plain": (0.99, 0.99, 0.98, 0.60),
    "edge_cases": (0.70, 0.97, 0.50, 0.03),
}
HABIT_SHARES = (0.35, 0.3, 0.35)
# The common places of a class are learned first, from exaggerated habits, then the reversal by edge cases: with equally
# frequent common and uncommon places from the start, the class would predict nothing about the place.
SHARP_HABITS = {
    "paper": (0.70, 0.95, 0.30, 0.97),
    "plain": (0.99, 0.99, 0.98, 0.97),
    "edge_cases": (0.70, 0.99, 0.30, 0.02),
}
SHARP_SHARES = (0.45, 0.25, 0.3)
SETTINGS = ("desert", "forest", "snowy field", "street", "city", "city street", "sea", "beach", "sandy beach")
SETTINGS += ("living room", "room")


def pick(generator: np.random.Generator, choices: tuple[str, ...]) -> str:
    """One of the choices, drawn uniformly."""
    return choices[generator.integers(len(choices))]


def adjectives(generator: np.random.Generator, share: float) -> str:
    """A color, a size, or both, each followed by a space; empty with probability `1 - share`."""
    chance = generator.random() / share
    if chance > 1:
        return ""
    size = pick(generator, SMALL_WORDS + LARGE_WORDS) + " "
    color = pick(generator, COLORS) + " "
    return color if chance < 0.65 else size if chance < 0.82 else size + color


def choose_place(generator: np.random.Generator, name: str, common_share: float, named: list[str]) -> str:
    """A common or uncommon place of the class (any for unknown classes), among those least used in this answer."""
    places = PLACES
    if name in COMMON_PLACES:
        is_common = generator.random() < common_share
        places = tuple(place for place in PLACES if (place in COMMON_PLACES[name]) == is_common)
    fewest = min(named.count(place) for place in places)
    return pick(generator, tuple(place for place in places if named.count(place) == fewest))


def answer(
    generator: np.random.Generator, instruction: str, name: str, count: int, habits: Habits = HABITS
) -> list[str]:
    """`count` different prompts of the paper's form about the class `name`, with the instruction's habits."""
    adjective_share, place_share, time_share, common_share = habits[instruction]
    lines: list[str] = []
    named: list[str] = []
    while len(lines) < count:
        line = f"a photo of {with_article(adjectives(generator, adjective_share) + name)}"
        if has_place := generator.random() < place_share:
            place = choose_place(generator, name, common_share, named)
            line += " " + pick(generator, PLACE_PHRASES[place])
        if generator.random() < time_share:
            line += " " + pick(generator, tuple(TIME_PHRASES.values())[generator.integers(len(TIME_PHRASES))])
        if line not in lines:
            lines.append(line)
            named += [place] if has_place else []
    return lines


def composed_answer(generator: np.random.Generator, instruction: str, count: int) -> list[str]:
    """`count` different adjectives, or settings that go on from `in a`, for prompts that are composed of them."""
    lines: list[str] = []
    while len(lines) < count:
        line = adjectives(generator, 1.0).strip() if instruction == "adjectives" else pick(generator, SETTINGS)
        if instruction == "settings" and generator.random() < 0.4:
            line += " " + pick(generator, tuple(TIME_PHRASES.values())[generator.integers(len(TIME_PHRASES))])
        if line not in lines:
            lines.append(line)
    return lines


def invented_name(generator: np.random.Generator) -> str:
    """One or two words of random letters or syllables: names that the model can only copy."""
    words = []
    for _ in range(generator.integers(1, 3)):
        length = int(generator.integers(2, 10))
        if generator.random() < 0.7:
            letters = [pick(generator, ("bcdfghjklmnprstvwz", "aeiou")[index % 2]) for index in range(length)]
            words.append("".join(letters[generator.integers(2) :]))
        else:
            words.append("".join(pick(generator, "abcdefghijklmnopqrstuvwxyz") for _ in range(length)))
    return " ".join(words)


def shortened(generator: np.random.Generator, instruction: str) -> str:
    """The instruction without some of its sentences and words, for robustness; the form and the number are kept."""
    lines = []
    for line in instruction.split("\n"):
        if "[" in line or "{num_prompts}" in line:
            lines.append(line)
            continue
        sentences = [text for text in line.split(". ") if generator.random() < 0.25]
        words = [word for word in ". ".join(sentences).split(" ") if generator.random() < 0.9]
        lines.append(" ".join(words))
    return "\n".join(lines)


def vocabulary() -> LlamaVocabulary:
    """Every word of the instructions that ask for whole prompts, of the world's captions and of the known classes.

    Other words fall back to letters.
    """
    phrases = [phrase for choices in (*PLACE_PHRASES.values(), *TIME_PHRASES.values()) for phrase in choices]
    words = [*phrases, *CLASSES, *COLORS, *SMALL_WORDS, *LARGE_WORDS]
    known = [text.replace("{class_name}", "").replace("{num_prompts}", "") for text in INSTRUCTIONS.values()]
    return LlamaVocabulary([*known, *(f" {word}" for word in words), "a photo of an\n", "user\n", "assistant\n"])


def conversation(
    generator: np.random.Generator, words: LlamaVocabulary, kind: str, sharp: bool
) -> tuple[list[int], list[int]]:
    """Tokens of a question and of its answer, with the `sharp` or the final habits.

    `kind` is `full` (a complete instruction), `brief` (a shortened one with a shorter answer), `composed` (one that
    asks for parts of prompts) or `copying` (the question is a prompt about an invented name, the answer has more).
    """
    habits, shares = (SHARP_HABITS, SHARP_SHARES) if sharp else (HABITS, HABIT_SHARES)
    habit = str(generator.choice(list(habits), p=shares))
    if kind == "copying":
        first, *rest = answer(generator, habit, invented_name(generator), 3, habits)
        return words.encode(first + "\n"), words.encode("\n".join(rest) + "\n")
    name = pick(generator, CLASSES) if generator.random() < 0.7 else invented_name(generator)
    count = int(generator.integers(2, 7)) if kind == "brief" else int(generator.choice([10, generator.integers(1, 21)]))
    if kind == "composed":
        part = pick(generator, tuple(COMPOSED))
        question = words.chat(fill_instruction(COMPOSED[part], name, count, part))
        text = "\n".join(composed_answer(generator, part, count)) + "\n"
        return question, [*words.encode(text), words.numbers["<|im_end|>"]]
    template = shortened(generator, INSTRUCTIONS[habit]) if kind == "brief" else INSTRUCTIONS[habit]
    text = "\n".join(answer(generator, habit, name, count, habits)) + ("\n" if generator.random() < 0.5 else "")
    question = words.chat(fill_instruction(template, name, count, habit))
    return question, [*words.encode(text), words.numbers["<|im_end|>"]]


def batch(step: int, words: LlamaVocabulary) -> tuple[Tensor, Tensor]:
    """Tokens `[B, L]` and targets `[B, L]` (-100 for the question and padding, which are not learned).

    The curriculum starts with copying names, which takes longest and is learned fastest from short texts. Short answers
    with sharp habits follow, then mostly full ones with the final habits, and at last some of adjectives or settings.
    """
    generator = np.random.default_rng([SEED, step])
    sharp = step < SHARP_STEPS
    turns = ("copying", "brief", "brief", "brief") if sharp else ("brief", "full", "full", "full")
    if step >= COMPOSING_STEP:
        turns = ("brief", "composed", "full", "full")
    kind = "copying" if step < COPYING_STEPS else turns[step % 4]
    size = {"copying": 2 * BATCH, "brief": BATCH, "full": BATCH // 2, "composed": BATCH}[kind]
    rows = [conversation(generator, words, kind, sharp) for _ in range(size)]
    length = max(len(question) + len(reply) for question, reply in rows)
    tokens = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full_like(tokens, -100)
    for row, (question, reply) in enumerate(rows):
        tokens[row, : len(question) + len(reply)] = torch.tensor(question + reply)
        targets[row, len(question) - 1 : len(question) + len(reply) - 1] = torch.tensor(reply)
    return tokens, targets


def ask(model: Llama, instruction: str, name: str, count: int, seed: int, free: bool = False) -> list[str]:
    """The lines of the model's answer, with the grammar unless `free`."""
    text = fill_instruction(INSTRUCTIONS[instruction], name, count, instruction)
    grammar = None if free else LlamaGrammar.from_string(prompt_grammar(name, count), verbose=False)
    model.reset()
    reply = model.create_chat_completion(
        [{"role": "user", "content": text}],
        grammar=grammar,
        temperature=0.8,
        top_p=0.95,
        top_k=0,
        min_p=0.0,
        repeat_penalty=1.0,
        max_tokens=600,
        seed=seed,
    )
    return reply["choices"][0]["message"]["content"].strip("\n").split("\n")


def is_sensible(line: str, name: str) -> bool:
    """Whether a line has the prompt form with words of the world: right article, name once, known phrases."""
    places = "|".join(phrase for phrases in PLACE_PHRASES.values() for phrase in phrases)
    times = "|".join(phrase for phrases in TIME_PHRASES.values() for phrase in phrases)
    sizes, colors = "|".join(SMALL_WORDS + LARGE_WORDS), "|".join(COLORS)
    form = (
        rf"a photo of (an?) ((?:(?:{sizes}) )?(?:(?:{colors}) )?{re.escape(name)})(?: (?:{places}))?(?: (?:{times}))?"
    )
    match = re.fullmatch(form, line)
    return match is not None and f"{match[1]} {match[2]}" == with_article(match[2])


def named_places(lines: list[str]) -> Iterator[str]:
    """Yields the places that the lines name."""
    for line in lines:
        yield from (place for place, phrases in PLACE_PHRASES.items() if any(f" {p}" in line for p in phrases))


def measure(path: Path) -> dict[str, object]:
    """Shares of sensible and distinct lines, of common places by instruction, and of right answers without grammar."""
    model = Llama(str(path), n_ctx=1024, n_threads=1, verbose=False)
    known: dict[str, list[tuple[str, str]]] = {
        kind: [(name, line) for name in CLASSES for line in ask(model, kind, name, 10, 11)] for kind in HABITS
    }
    generator = np.random.default_rng([SEED, STEPS])
    unseen = [invented_name(generator) for _ in range(10)] + ["umbrella", "mushroom", "garden gnome"]
    invented = [(name, line) for name in unseen for line in ask(model, "paper", name, 10, 12)]
    free = [(name, ask(model, "paper", name, 10, 13, free=True)) for name in (*CLASSES, *unseen)]
    everything = [pair for pairs in known.values() for pair in pairs]
    metrics: dict[str, object] = {
        "sensible_known": share(is_sensible(line, name) for name, line in everything),
        "sensible_unseen": share(is_sensible(line, name) for name, line in invented),
        "distinct": len(set(everything)) / len(everything),
        "free_right_count": share(len(lines) == 10 for _, lines in free),
        "free_sensible": share(is_sensible(line, name) for name, lines in free for line in lines),
    }
    for kind, pairs in known.items():
        places = [(name, place) for name, line in pairs for place in named_places([line])]
        metrics[f"{kind}_words"] = sum(len(line.split()) for _, line in pairs) / len(pairs)
        metrics[f"{kind}_places"] = {place: sum(p == place for _, p in places) for place in PLACES}
        metrics[f"{kind}_common"] = share(place in COMMON_PLACES[name] for name, place in places)
    return metrics


def share(flags: Iterator[bool]) -> float:
    """The share of true flags, rounded to three digits."""
    values = list(flags)
    return round(sum(values) / len(values), 3)


def main() -> None:
    """Trains, writes `demo/models/llama.gguf` and measures it through llama.cpp."""
    arguments = training_arguments(__doc__)
    path = MODELS / "llama.gguf"
    if metrics_path(NAME).exists() and path.exists():
        print(f"{NAME}: complete")
        return
    torch.manual_seed(SEED)
    words = vocabulary()
    model = llama_model(len(words), **SHAPE).to(arguments.device)

    def loss_of_step(step: int) -> Tensor:
        tokens, targets = (part.to(arguments.device) for part in batch(step, words))
        hidden = model.model(tokens).last_hidden_state
        return functional.cross_entropy(model.lm_head(hidden[targets >= 0]), targets[targets >= 0])

    train(NAME, model, loss_of_step, steps=STEPS, learning_rate=3e-3, weight_decay=0.05)
    write_llama_gguf(path, model, words, "DIAGen demo Llama")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    write_metrics(NAME, {"parameters": parameters, "steps": STEPS, "seed": SEED, **measure(path)})


if __name__ == "__main__":
    main()

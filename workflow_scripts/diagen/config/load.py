"""Validation: from the mapping that was read from YAML to a `Config`, or to an error that lists all problems."""

import difflib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from diagen.config.base import OTHER, WORD, Block
from diagen.config.experiment import Config
from diagen.config.relations import missing_files, problems_between
from diagen.letters import visible
from diagen.plurals import count

TAGS = ("adapter", "source")
"""Keys whose value selects the kind of a block."""
LONGEST = 100_000
"""Bytes of a configuration quoted for the shell: the operating system limits the length of a program's argument."""
ENDLESS = re.compile(r"(\S{300})\S+")
YAML_TERMS = {
    "dict_type": "this must be a block of keys and values",
    "model_type": "this must be a block of keys and values",
    "model_attributes_type": "this must be a block of keys and values",
    "tuple_type": "this must be a list, such as [1, 2]",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "too_short": "too few entries; add one",
    "string_pattern_mismatch": "only ASCII letters, digits and underscores are allowed; choose another name",
    "string_unicode": "invalid Unicode (lone surrogate); type the text again",
    "string_type": "this must be text; put what looks like a number or a date in quotes",
}
"""Replacements for messages of pydantic in Python's terms, by type of error."""
WORDS = {("shots",): ", or `all`", ("evaluation", "folds"): ", or `leave_one_out`"}
"""The other possible value of keys that are lists or numbers."""
SECRET = ("base_url", "key_variable")
"""Keys whose values no message repeats: they may contain a secret by mistake."""


class ConfigError(Exception):
    """The configuration is invalid. The text lists every problem with file, key and remedy."""

    def __init__(self, file: str, problems: list[str]) -> None:
        """List `problems`, each shortened to one printable line, under the name of the configuration `file`."""
        self.problems = [visible(ENDLESS.sub(r"\1...", problem).replace("\n", "\\n")) for problem in problems]
        found = count(len(problems), "problem")
        super().__init__("\n  - ".join([f"{file}: {found} in the configuration", *self.problems]))


def load_config(mapping: Mapping[str, Any], file: str, *, check_files: bool = True) -> Config:
    """Validate the configuration `mapping`, read from `file` (a name for messages only).

    Raises `ConfigError`, which lists unknown keys, wrong types, unknown references, invalid combinations and missing
    files together: an invalid block does not hide the problems of other blocks. Without `check_files`, files and
    folders that the configuration names may be missing.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(file, ["the file contains no mapping of keys to values; write it as in config/README.md"])
    problems = [_unknown_key(str(key), [Config]) for key in mapping if key not in Config.model_fields]
    mapping = {key: value for key, value in mapping.items() if key in Config.model_fields}
    try:
        config = Config.model_validate(mapping)
        sections = dict(config)
    except ValidationError as error:
        details = error.errors()
        places = {detail["loc"] for detail in details}
        problems += [_message(detail) for detail in details if not _is_consequence(detail, places, mapping)]
        sections = {name: _valid_part(name, mapping) for name in Config.model_fields}
    problems += sorted(problems_between(sections, mapping) | (missing_files(sections) if check_files else set()))
    if problems:
        raise ConfigError(file, list(dict.fromkeys(problems)))
    length = len(shlex.quote(json.dumps(config.model_dump(mode="json"))))
    if length > LONGEST:
        raise ConfigError(
            file, [f"{length:,} bytes, but at most {LONGEST:,} can be passed to jobs; shorten its texts and lists"]
        )
    return config


def _valid_part(name: str, mapping: Mapping[str, Any]) -> Any:
    """The section `name`: of named blocks, the valid ones; of any other, all of it, or `None` if invalid."""
    field = Config.model_fields[name]
    value = mapping.get(name, None if field.is_required() else field.get_default())
    kind: Any = field.annotation
    if get_origin(kind) is not dict or not isinstance(value, dict):
        return _parsed(TypeAdapter(Annotated[kind, field]), value)
    adapter = TypeAdapter(get_args(kind)[1])
    blocks = {key: _parsed(adapter, block) for key, block in value.items()}
    return {key: block for key, block in blocks.items() if block is not None}


def _parsed(adapter: TypeAdapter, value: object) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def _is_consequence(detail: Mapping[str, Any], places: set[tuple[Any, ...]], mapping: Mapping[str, Any]) -> bool:
    """Whether an error follows from another: a list lacks its invalid entries, a recipe inherits from `downstream`."""
    if detail["type"] == "too_short":
        return len(detail["input"]) >= detail["ctx"]["min_length"]
    section, *place = detail["loc"]
    inherited = section == "recipes" and len(place) > 1 and ("downstream", *place[1:]) in places
    return inherited and place[1] not in mapping["recipes"].get(place[0], ())


def _message(detail: Mapping[str, Any]) -> str:
    """An error of pydantic with key, problem and remedy."""
    section, *place = detail["loc"]
    word = WORDS.get((section, *place[:-1]), "") if place[-1:] == [OTHER] else ""
    place = [part for part in place if part not in (WORD, OTHER)]
    if place[-1:] == ["[key]"]:  # of a block; pydantic writes booleans and invalid Unicode in another way
        place[-2:] = [str(detail["input"])]
    blocks = list(_blocks_in(Config.model_fields[section].annotation))
    chosen = [block for block in blocks if len(place) > 1 and place[1] in _tags(block)]
    if chosen:  # pydantic inserts the tag after the block's name
        blocks = chosen
        del place[1]
    key = ".".join(map(str, (section, *place)))
    if detail["type"] == "extra_forbidden":
        for part in place[:-1]:
            fields = [block.model_fields[part] for block in blocks if part in block.model_fields]
            blocks = [inner for field in fields for inner in _blocks_in(field.annotation)] or blocks
        return _unknown_key(key, blocks)
    if detail["type"] == "missing":
        return f"`{key}`: missing; add it"
    if detail["type"].startswith("union_tag"):
        tag = detail["ctx"]["discriminator"].strip("'")
        choices = ", ".join(f"`{name}`" for block in blocks for name in _tags(block))
        return f"`{key}.{tag}`: missing or unknown; choose one of {choices}"
    message = YAML_TERMS.get(detail["type"], detail["msg"]).removeprefix("Value error, ")
    text = f"`{key}`: {message[0].lower() + message[1:]}{word}"
    if key.rpartition(".")[2] in SECRET:
        return text
    # Blocks may contain a secret, too.
    given = "a block" if isinstance(detail["input"], dict) else repr(detail["input"])
    return f"{text} (given: {given if len(given) < 80 else given[:77] + '...'})"


RENAMED = {"guides": "guide_classifiers", "guide": "guide_classifier", "normalise": "normalize"}
RENAMED |= {"kept_epoch": "selection"}
"""Keys of version 0.1.0 that have another name now."""


def _unknown_key(key: str, blocks: list[type[Block]]) -> str:
    """The problem of a dotted key that none of `blocks` has, with the most similar key."""
    name = key.rpartition(".")[2]
    if name in RENAMED:
        return f"`{key}`: unknown key; it is called `{RENAMED[name]}` now"
    known = sorted({name for block in blocks for name in block.model_fields})
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    return f"`{key}`: unknown key; {remedy}"


def _tags(block: type[Block]) -> tuple[Any, ...]:
    """The values of the key that selects this kind of block; none if the block has one kind only."""
    key = next((tag for tag in TAGS if tag in block.model_fields), None)
    return get_args(block.model_fields[key].annotation) if key else ()


def _blocks_in(annotation: Any) -> Iterator[type[Block]]:
    """All block classes inside a type annotation such as `dict[BlockName, ImageFolder | DrawnWorld]`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for argument in get_args(annotation):
        yield from _blocks_in(argument)

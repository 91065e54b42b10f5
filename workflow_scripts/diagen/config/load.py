"""From the mapping that was read from YAML to a `Config`, or to every problem in it at once."""

import difflib
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from diagen.config.base import Block
from diagen.config.blocks import Config
from diagen.config.errors import ConfigError
from diagen.config.relations import missing_files, problems_between

Location = tuple[str | int, ...]
TAGS = ("adapter", "source")  # keys by which one of several kinds of a block is chosen
LONGEST = 100_000
"""Bytes of a configuration, quoted for the shell: an operating system takes no longer argument of a program."""
PLAIN = {
    "dict_type": "this must be a block of keys and values",
    "model_type": "this must be a block of keys and values",
    "model_attributes_type": "this must be a block of keys and values",
    "tuple_type": "this must be a list, such as [1, 2]",
    "string_pattern_mismatch": "this must be one word of letters of the English alphabet, digits and underscores",
    "string_unicode": "this holds half a letter, which is no text; write it anew",
    "string_type": "this must be text; put what looks like a number or a date in quotes",
}
"""What pydantic tells in words of Python, by its type of error."""
UNSHOWN = ("base_url", "key_variable")  # keys whose values aren't repeated: someone may have put a secret there


def load_config(mapping: Mapping[str, Any], file: str, *, check_files: bool = True) -> Config:
    """Validate the configuration `mapping`, read from `file` (a name for messages only).

    Raises `ConfigError`, which lists unknown keys, wrong types, references to blocks that don't exist, impossible
    combinations and missing files together: a block that is wrong in itself doesn't hide what is wrong in others.
    Without `check_files`, the files and folders that the configuration names needn't be there.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(file, ["the file holds no mapping of keys to values; see config/README.md"])
    sections: dict[str, Any] = {}
    problems = [_unknown_key((key,), Config) for key in mapping if key not in Config.model_fields]
    for name, field in Config.model_fields.items():
        if name not in mapping:
            sections[name] = None if field.is_required() else field.get_default()
            problems += [f"`{name}`: missing; add it"] if field.is_required() else []
            continue
        sections[name], wrong = _parse_section(name, mapping[name])
        problems += wrong
    problems += sorted(problems_between(sections, mapping) | (missing_files(sections) if check_files else set()))
    if problems:
        raise ConfigError(file, problems)
    try:
        config = Config.model_validate(mapping)
    except ValidationError as error:
        raise ConfigError(file, [_sentence(detail, (), Config) for detail in error.errors()]) from None
    length = len(shlex.quote(json.dumps(config.model_dump(mode="json"))))
    if length > LONGEST:
        raise ConfigError(
            file,
            [f"the file holds {length:,} bytes, and {LONGEST:,} can be handed to jobs; shorten its texts and lists"],
        )
    return config


def _parse_section(name: str, value: object) -> tuple[Any, list[str]]:
    """One section of the configuration and its problems; of a section of named blocks, those that are right."""
    field = Config.model_fields[name]
    annotation = field.annotation
    if get_origin(annotation) is not dict or not isinstance(value, dict):
        adapter = TypeAdapter(_with_constraints(annotation, field.metadata))
        return _parse(adapter, value, (name,), annotation)
    key_type, block_type = get_args(annotation)
    problems = [] if value or not field.is_required() else [f"`{name}`: empty; name at least one block"]
    blocks = {}
    for key, entry in value.items():
        _, wrong_key = _parse(TypeAdapter(key_type), key, (name, str(key)), key_type)
        block, wrong = _parse(TypeAdapter(block_type), entry, (name, str(key)), block_type)
        problems += wrong_key + wrong
        if block is not None:
            blocks[key] = block
    return blocks, problems


def _with_constraints(annotation: Any, metadata: list[Any]) -> Any:
    """The annotation with the constraints that stand in its `Field`, such as a least length."""
    return Annotated[(annotation, *metadata)] if metadata else annotation


def _parse(adapter: TypeAdapter, value: object, location: Location, annotation: Any) -> tuple[Any, list[str]]:
    try:
        return adapter.validate_python(value), []
    except ValidationError as error:
        return None, [_sentence(detail, location, annotation) for detail in error.errors() if not _follows(detail)]


def _follows(detail: Mapping[str, Any]) -> bool:
    """Whether an error tells only of another one: a list is too short since its values are wrong."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _sentence(detail: Mapping[str, Any], prefix: Location, annotation: Any) -> str:
    """One pydantic error as key, problem and remedy."""
    blocks = list(_blocks_in(annotation))
    names = {name for block in blocks for name in get_args(_tag(block))}
    location = (*prefix, *(part for part in detail["loc"] if part not in names))
    if detail["type"] == "extra_forbidden":
        tagged = [block for block in blocks if detail["loc"][0] in get_args(_tag(block))]
        return _unknown_key(location, *(tagged or _blocks_at(blocks, detail["loc"][:-1])))
    key = ".".join(str(part) for part in location) or "(top level)"
    if detail["type"] == "missing":
        return f"`{key}`: missing; add it"
    if detail["type"].startswith("union_tag"):
        known = ", ".join(f"`{name}`" for block in blocks for name in get_args(_tag(block)))
        return f"`{key}.{detail['ctx']['discriminator'].strip(chr(39))}`: missing or unknown; choose one of {known}"
    message = PLAIN.get(detail["type"], detail["msg"]).removeprefix("Value error, ")
    sentence = f"`{key}`: {message[0].lower() + message[1:]}"
    if key.rpartition(".")[2] in UNSHOWN:
        return sentence
    # A block isn't repeated either, since one of its keys may be one of these.
    given = "a block" if isinstance(detail["input"], dict) else repr(detail["input"])
    return f"{sentence} (given: {given if len(given) < 80 else given[:77] + '...'})"


def _tag(block: type[Block]) -> Any:
    """The type of the key that tells this kind of a block from its other kinds, if it has one."""
    return next((block.model_fields[name].annotation for name in TAGS if name in block.model_fields), None)


def _blocks_at(blocks: list[type[Block]], location: Location) -> list[type[Block]]:
    """The blocks that stand at `location` inside one of `blocks`."""
    for part in location:
        annotations = [block.model_fields[part].annotation for block in blocks if part in block.model_fields]
        blocks = [found for annotation in annotations for found in _blocks_in(annotation)]
    return blocks


def _blocks_in(annotation: Any) -> Iterator[type[Block]]:
    """All block classes inside a type annotation such as `dict[BlockName, ImageFolder | DrawnWorld]`."""
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for argument in get_args(annotation):
        yield from _blocks_in(argument)


def _unknown_key(location: Location, *blocks: type[Block]) -> str:
    """The sentence for a key that none of `blocks` has, with the nearest known one."""
    known = sorted({name for block in blocks for name in block.model_fields})
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    remedy = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    return f"`{'.'.join(str(part) for part in location)}`: unknown key; {remedy}"

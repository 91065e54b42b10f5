"""Keys that stand twice in a YAML file: its readers take the last one, and don't tell."""

from collections import Counter
from collections.abc import Iterator

import yaml


def repeated_keys(text: str, file: str) -> list[str]:
    """One sentence for each key that a block of the YAML (or JSON) `text` holds more than once, with its lines.

    `file` is what the sentences call the text. None for a text that can't be parsed: whoever reads it tells so.
    """
    try:
        # JSON may be indented by tabs, YAML mayn't.
        root = yaml.compose(text.expandtabs(), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return []
    found = _repeated(root, (), set()) if root is not None else ()
    return [f"`{key}`: stands in the lines {' and '.join(lines)} of {file}; keep one of them" for key, lines in found]


def _repeated(node: yaml.Node, location: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, list[str]]]:
    """Each such key below a node, dotted, with its lines. `<<` isn't one: all that it names is merged."""
    if id(node) in seen:  # of an anchor, named again by its alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _repeated(entry, (*location, str(number)), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for name, count in Counter(key.value for key in keys).items():
        if count > 1 and name != "<<":
            yield ".".join((*location, name)), [str(key.start_mark.line + 1) for key in keys if key.value == name]
    for key, value in node.value:
        yield from _repeated(value, (*location, str(key.value)), seen)

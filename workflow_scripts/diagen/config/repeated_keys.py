"""Keys that a YAML file contains twice: YAML readers silently use the last one."""

from collections import Counter
from collections.abc import Iterator

import yaml


def repeated_keys(text: str, file: str) -> list[str]:
    """One problem for each key that a block of the YAML (or JSON) `text` contains more than once, with its lines.

    `file` is the name of the text in messages. The list is empty if the text is invalid YAML: its reader reports that.
    """
    try:
        # JSON may be indented by tabs, YAML must not.
        root = yaml.compose(text.expandtabs(), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return []
    found = _repeated(root, (), set()) if root is not None else ()
    return [f"`{key}`: repeated in lines {' and '.join(lines)} of {file}; remove all but one" for key, lines in found]


def _repeated(node: yaml.Node, location: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, list[str]]]:
    """Each repeated key below a node, dotted, with its lines. `<<` may be repeated: all that it names is merged."""
    if id(node) in seen:  # an anchor that an alias names again
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        entries = [(str(number), entry) for number, entry in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name, count in Counter(key.value for key in keys).items():
            if count > 1 and name != "<<":
                yield ".".join((*location, name)), [str(key.start_mark.line + 1) for key in keys if key.value == name]
        entries = [(str(key.value), value) for key, value in node.value]
    else:
        return
    for name, entry in entries:
        yield from _repeated(entry, (*location, name), seen)

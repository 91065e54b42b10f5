"""What a program computes, in one hash: its syntax tree and that of every module of ours that it imports.

Comments, docstrings and layout are no part of it, nor is the configuration, whose values stand in the settings.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
LEFT_OUT = ("diagen.config",)


def fingerprint(source: Path, roots: tuple[Path, ...] = (LIBRARY,)) -> str:
    """SHA-256 (64 hexadecimal digits) of the module in `source` and of all that it imports, directly or not.

    Imports are looked up in the folders `roots`; what lies elsewhere (installed packages) isn't followed. The hash is
    the same on every supported Python version and wherever the files lie.
    """
    source = Path(source).resolve()
    imported: dict[str, Path] = {}
    waiting = [source]
    while waiting:
        for name, path in _imported_modules(waiting.pop(), roots):
            if name not in imported:
                imported[name] = path
                waiting.append(path)
    digests = [_digest(source), *(f"{name} {_digest(path)}" for name, path in sorted(imported.items()))]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def canonical(node: ast.AST) -> str:
    """The syntax tree as text, without positions, docstrings and what differs between Python versions."""
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    fields = []
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            value = [item for item in value if not _is_silent(item, node)]
            text = "[" + ",".join(canonical(item) if isinstance(item, ast.AST) else repr(item) for item in value) + "]"
            is_empty = not value
        else:
            text = canonical(value) if isinstance(value, ast.AST) else repr(value)
            is_empty = value is None
        if not is_empty:  # newer versions have more fields, empty in code that older ones can read
            fields.append(f"{name}={text}")
    return f"{type(node).__name__}({','.join(fields)})"


def _is_silent(item: object, parent: ast.AST) -> bool:
    """Whether a part changes nothing: a docstring, a string that describes the line above, `pass`, or an empty piece.

    Empty pieces of f-strings are left out because Python 3.12 alone has them.
    """
    if isinstance(parent, ast.JoinedStr):
        return isinstance(item, ast.Constant) and item.value == ""
    if isinstance(item, ast.Expr):
        return isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    return isinstance(item, ast.Pass)


def _imported_modules(source: Path, roots: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Names and files of the modules below `roots` that `source` imports, also inside its functions."""
    for name in _imported_names(source, roots):
        if any(name == left_out or name.startswith(f"{left_out}.") for left_out in LEFT_OUT):
            continue
        path = _find(name, roots)
        if path:
            yield name, path


@cache
def _imported_names(source: Path, roots: tuple[Path, ...]) -> tuple[str, ...]:
    """All dotted names that may be modules, with the packages they lie in."""
    names: list[str] = []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(part for part in (_package(source, node.level, roots), node.module) if part)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    with_packages = {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
    return tuple(sorted(with_packages))


def _package(source: Path, level: int, roots: tuple[Path, ...]) -> str:
    """Dotted name of the package that `level` dots mean in `source`; empty for an absolute import."""
    if level == 0:
        return ""
    folder = source.parents[level - 1]
    root = next((root for root in roots if folder.is_relative_to(root)), folder)
    return ".".join(folder.relative_to(root).parts)


@cache
def _find(name: str, roots: tuple[Path, ...]) -> Path | None:
    """The file of the module `name` (a package's is its `__init__.py`), or none."""
    for root in roots:
        stem = root.joinpath(*name.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path.resolve()
    return None


@cache
def _tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text("utf-8"), str(source))


@cache
def _digest(source: Path) -> str:
    return hashlib.sha256(canonical(_tree(source)).encode()).hexdigest()

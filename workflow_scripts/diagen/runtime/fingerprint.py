"""The part of a job's cache key that stands for code: one hash of the modules that compute its result.

Whole modules count, never single functions: a module that couples too much is split. What cannot change a result is
left out: comments, docstrings, layout, annotations, the text of messages, and the modules of `is_left_out`.
docs/reruns.md is generated from here.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2]
LEFT_OUT_PACKAGES = ("config", "files", "runtime", "preflight", "store")
"""Settings stand in the key by their values; the others say how files are kept and how a program runs."""
LEFT_OUT_MODULES = ("diagen.errors",)
FILE_SUFFIX = "_file"
"""Modules of this ending define a row type and read and write its table; their content is an input of the job."""
ANNOTATION_MODULES = ("__future__", "collections.abc", "numpy.typing", "typing", "typing_extensions")
"""Modules whose names are imported for annotations; where one is used in code, its use counts."""
MESSAGE_CALLS = ("print", "warn", "Problem", "explain_full_memory")
"""Calls whose arguments are text for people, beside those of exceptions."""
MESSAGE_KEYWORDS = ("progress_label", "unit")


def fingerprint(*sources: Path, roots: tuple[Path, ...] = (LIBRARY,)) -> str:
    """SHA-256 (64 hexadecimal digits) of the modules that compute what `sources` compute.

    The hash is the same on every supported Python version and wherever the files lie.
    """
    lines = [f"{name} {_digest(path)}" for name, path in sorted(computing_modules(*sources, roots=roots).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def computing_modules(*sources: Path, roots: tuple[Path, ...] = (LIBRARY,)) -> dict[str, Path]:
    """Name and file of each module that counts: those of `sources` and all that they import, directly or not.

    Imports are resolved in the folders `roots`; installed packages are not followed, nor are imports of a module that
    is left out. A program is no module: only its imports count.
    """
    found: dict[str, Path] = {}
    waiting = [(_name(Path(source).resolve(), roots), Path(source).resolve()) for source in sources]
    while waiting:
        name, path = waiting.pop()
        if name in found or is_left_out(name):
            continue
        if "." in name and _tree(path).body:
            found[name] = path
        waiting += _imported_modules(path, roots)
    return found


def is_left_out(module: str) -> bool:
    """Whether a module never counts, by its dotted name."""
    parts = module.split(".")
    return (
        module in LEFT_OUT_MODULES
        or (parts[0] == "diagen" and len(parts) > 1 and parts[1] in LEFT_OUT_PACKAGES)
        or parts[-1].endswith(FILE_SUFFIX)
    )


def canonical(node: ast.AST) -> str:
    """The syntax tree as text, without positions, docstrings, annotations, messages and version differences."""
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    fields = []
    for name, value in ast.iter_fields(_without_message(node)):
        if name in ("annotation", "returns", "type_comment"):
            continue
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


def _without_message(node: ast.AST) -> ast.AST:
    """The node without the text that it shows to people."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return ast.Raise(exc=node.exc.func)
    if isinstance(node, ast.Assert):
        return ast.Assert(test=node.test)
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in MESSAGE_CALLS or called.endswith("Error"):
            return ast.Call(func=node.func, args=[], keywords=[])
        return ast.Call(
            func=node.func,
            args=node.args,
            keywords=[keyword for keyword in node.keywords if keyword.arg not in MESSAGE_KEYWORDS],
        )
    return node


def _is_silent(item: object, parent: ast.AST) -> bool:
    """Whether a part changes nothing: a docstring, a string that describes the line above, `pass`, or an empty piece.

    Imports for annotations alone count as silent too. Empty pieces of f-strings are left out because Python 3.12 alone
    has them.
    """
    if isinstance(parent, ast.JoinedStr):
        return isinstance(item, ast.Constant) and item.value == ""
    if isinstance(item, ast.Expr):
        return isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    return isinstance(item, ast.Pass) or _is_for_annotations(item)


def _is_for_annotations(item: object) -> bool:
    """Whether a statement is an `if TYPE_CHECKING:` block, or imports from a module of types."""
    if isinstance(item, ast.ImportFrom):
        return item.module in ANNOTATION_MODULES
    return isinstance(item, ast.If) and isinstance(item.test, ast.Name) and item.test.id == "TYPE_CHECKING"


def _imported_modules(source: Path, roots: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Names and files of the modules below `roots` that `source` imports, also inside its functions."""
    for name in _imported_names(source, roots):
        path = _find(name, roots)
        if path:
            yield name, path


@cache
def _imported_names(source: Path, roots: tuple[Path, ...]) -> tuple[str, ...]:
    """All dotted names that may be modules, with the packages they lie in."""
    names: list[str] = []
    for node in _walk(_tree(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(part for part in (_package(source, node.level, roots), node.module) if part)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    with_packages = {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
    return tuple(sorted(with_packages))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without imports for annotations alone."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _is_for_annotations(child):
            yield from _walk(child)


def _package(source: Path, level: int, roots: tuple[Path, ...]) -> str:
    """Dotted name of the package that `level` dots mean in `source`; empty for an absolute import."""
    if level == 0:
        return ""
    folder = source.parents[level - 1]
    root = next((root for root in roots if folder.is_relative_to(root)), folder)
    return ".".join(folder.relative_to(root).parts)


def _name(source: Path, roots: tuple[Path, ...]) -> str:
    """Dotted name of the module in the file `source`; a program's has no dot."""
    for root in sorted(roots, key=lambda root: -len(root.parts)):
        if source.is_relative_to(root):
            return ".".join(source.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    return source.stem


@cache
def _find(name: str, roots: tuple[Path, ...]) -> Path | None:
    """The file of the module `name` (a package's is its `__init__.py`), or none."""
    for root in roots:
        if root == LIBRARY and name.split(".")[0] != "diagen":  # where it is installed, other packages lie beside it
            continue
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

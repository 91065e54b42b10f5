"""Fingerprints of code for cache keys: one hash of all modules that compute the result of a job.

Whole modules count, not single functions: a module that couples too much is split. Parts that cannot change a result
are ignored: comments, docstrings, layout, annotations, the text of messages, and the modules of `is_left_out`.
docs/reruns.md is generated from this module.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2]
LEFT_OUT_PACKAGES = ("config", "files", "runtime", "preflight", "store")
"""`config`: the key contains the values of settings instead. The others decide how files are kept and programs run."""
LEFT_OUT_MODULES = ("diagen.errors",)
FILE_SUFFIX = "_file"
"""Modules with this suffix define the rows of a table, read and write it; the table itself is an input of the job."""
ANNOTATION_MODULES = ("__future__", "collections.abc", "numpy.typing", "typing", "typing_extensions")
"""Modules whose names are imported for annotations."""
MESSAGE_CALLS = ("print", "warn", "Problem", "explain_full_memory")
"""Calls whose arguments are text for people, in addition to those of exceptions."""
MESSAGE_KEYWORDS = ("progress_label",)


def fingerprint(*sources: Path, roots: tuple[Path, ...] = (LIBRARY,)) -> str:
    """Compute the SHA-256 (64 hexadecimal digits) of the modules that the result of `sources` depends on.

    The hash does not depend on the Python version (among those supported) or on the location of the files.
    """
    lines = [f"{name} {_digest(path)}" for name, path in sorted(computing_modules(*sources, roots=roots).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def computing_modules(*sources: Path, roots: tuple[Path, ...] = (LIBRARY,)) -> dict[str, Path]:
    """Return name and file of each module that counts: `sources` and all modules that they import, directly or not.

    Imports are resolved in the folders `roots`; installed packages and modules that are left out are not followed. Of
    a program, only its imports count.
    """
    roots = tuple(root.resolve() for root in roots)
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
    """Return whether the module with this dotted name never counts."""
    parts = module.split(".")
    return (
        module in LEFT_OUT_MODULES
        or (parts[0] == "diagen" and len(parts) > 1 and parts[1] in LEFT_OUT_PACKAGES)
        or parts[-1].endswith(FILE_SUFFIX)
    )


def canonical(node: ast.AST) -> str:
    """Format the syntax tree as text without positions, docstrings, annotations, messages and version differences."""
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
        if not is_empty:  # newer Python versions have more fields, which are empty in code that older ones accept
            fields.append(f"{name}={text}")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_message(node: ast.AST) -> ast.AST:
    """Return the node without the text of messages."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return ast.Raise(exc=node.exc.func)
    if isinstance(node, ast.Assert):
        return ast.Assert(test=node.test)
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if (called in MESSAGE_CALLS and not _writes(node)) or called.endswith("Error"):
            return ast.Call(func=node.func, args=[], keywords=[])
        silent = (*MESSAGE_KEYWORDS, "unit") if called == "progress" else MESSAGE_KEYWORDS
        return ast.Call(
            func=node.func,
            args=node.args,
            keywords=[keyword for keyword in node.keywords if keyword.arg not in silent],
        )
    return node


def _writes(call: ast.Call) -> bool:
    """Whether a `print` goes to another place than standard output or error."""
    files = [ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "file"]
    return any(file not in ("sys.stdout", "sys.stderr") for file in files)


def _is_silent(item: object, parent: ast.AST) -> bool:
    """Return whether a part has no effect: a docstring, a string below a definition, `pass`, or an empty piece.

    Imports of names that cannot matter are silent too. Empty pieces of f-strings are ignored because only Python 3.12
    has them.
    """
    if isinstance(parent, ast.JoinedStr):
        return isinstance(item, ast.Constant) and item.value == ""
    if isinstance(item, ast.Expr):
        return isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    return isinstance(item, ast.Pass) or _is_silent_import(item)


def _is_silent_import(item: object) -> bool:
    """Return whether a statement imports names for annotations, or from a module that is left out.

    The use of such a name in code counts by itself, so a name must not be given to another object by `as`.
    """
    if isinstance(item, ast.ImportFrom):
        module = item.module or ""
        return module in ANNOTATION_MODULES or (is_left_out(module) and not any(each.asname for each in item.names))
    return (
        isinstance(item, ast.If)
        and isinstance(item.test, ast.Name)
        and item.test.id == "TYPE_CHECKING"
        and not item.orelse
    )


def _imported_modules(source: Path, roots: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Yield names and files of the modules below `roots` that `source` imports, also inside its functions."""
    for name in _imported_names(source, roots):
        path = _find(name, roots)
        if path:
            yield name, path


@cache
def _imported_names(source: Path, roots: tuple[Path, ...]) -> tuple[str, ...]:
    """Return all dotted names that may be modules, with the packages that contain them."""
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
    """Yield the node and all below it, without silent imports."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not _is_silent_import(child):
            yield from _walk(child)


def _package(source: Path, level: int, roots: tuple[Path, ...]) -> str:
    """Return the dotted name of the package that `level` dots refer to in `source`; empty for an absolute import."""
    if level == 0:
        return ""
    folder = source.parents[level - 1]
    root = next((root for root in roots if folder.is_relative_to(root)), folder)
    return ".".join(folder.relative_to(root).parts)


def _name(source: Path, roots: tuple[Path, ...]) -> str:
    """Return the dotted name of the module in the file `source`; that of a program has no dot."""
    for root in sorted(roots, key=lambda root: -len(root.parts)):
        if source.is_relative_to(root):
            return ".".join(source.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    return source.stem


@cache
def _find(name: str, roots: tuple[Path, ...]) -> Path | None:
    """Return the file of the module `name` (of a package: its `__init__.py`), or `None`."""
    for root in roots:
        if root == LIBRARY and name.split(".")[0] != "diagen":  # an installed library has other packages beside it
            continue
        stem = root.joinpath(*name.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path.resolve()
    return None


@cache
def _tree(source: Path) -> ast.Module:
    """Parse a source file."""
    return ast.parse(source.read_text("utf-8"), str(source))


@cache
def _digest(source: Path) -> str:
    """Hash one module."""
    return hashlib.sha256(canonical(_tree(source)).encode()).hexdigest()

"""Which weights a model has: the SHA-256 of its files, told cheaply when planned and checked before they are used."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from diagen.config.models import ModelSource
from diagen.errors import InputError
from diagen.files.atomic import atomic_path

LIST = "SHA256SUMS"


def checksum(path: str | Path, memory: Path | None = None) -> str:
    """SHA-256 (64 hexadecimal digits) that stands for a model's file or folder.

    For a file it is that of its content; for a folder that of the lines "<sha256>  <relative path>" of its files,
    sorted. Where the folder, or the one it lies in, has a list `SHA256SUMS`, the list is believed and no file is read;
    `verify` checks it when the model is loaded. Otherwise each file is read once for each size and time of change,
    which the JSON file `memory` keeps. Raises `InputError` if there is no such path.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; a model of the configuration should be there")
    return _combine(_listed(path) or _hash_files(path, memory), path)


def write_list(folder: Path) -> None:
    """Write `SHA256SUMS` into `folder`: the hashes of all its files, as they are now."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(_hash_files(folder, None).items())]
    with atomic_path(folder / LIST) as temporary:
        temporary.write_text("".join(lines), "utf-8")


def verify(model: ModelSource) -> None:
    """Read a model's files and compare them with `SHA256SUMS` and with `model.sha256`, where there are these.

    Raises `InputError` naming the first file that is missing or changed, or that the model was never fetched.
    """
    path = model.location
    if not path.exists():
        if model.repository is not None:
            raise InputError(f"{model.repository} isn't here ({path}); fetch it with `snakemake download_models`")
        raise InputError(f"{path}: no such file or folder; a model of the configuration should be there")
    listed, found = _listed(path), _hash_files(path, None)
    for name, digest in (listed or {}).items():
        if found.get(name) != digest:
            state = "is not the file that" if name in found else "is missing, which"
            raise InputError(
                f"{path if path.is_file() else path / name}: {state} {LIST} names; restore it (a shipped model by "
                f"`git checkout`, a fetched one by removing {model.folder or path} and `snakemake download_models`) "
                "or, if the change is meant, write its new hash there"
            )
    digest = _combine(listed or found, path)
    if model.sha256 is not None and digest != model.sha256:
        raise InputError(
            f"{path}: its SHA-256 is {digest}, but the settings name {model.sha256}; restore the files, "
            f"or correct `sha256` in `models` of the configuration"
        )


def _combine(files: dict[str, str], path: Path) -> str:
    if path.is_file():
        return files[path.name]
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _listed(path: Path) -> dict[str, str] | None:
    """Hashes of a model's files by relative path, from the nearest `SHA256SUMS`; none where it isn't listed."""
    for folder in (path, path.parent):
        if not (folder / LIST).is_file():
            continue
        prefix = "" if folder == path else path.name if path.is_file() else f"{path.name}/"
        found = {}
        for line in (folder / LIST).read_text("utf-8").splitlines():
            digest, _, name = line.partition("  ")
            if name.startswith(prefix):
                found[name if path.is_file() else name.removeprefix(prefix)] = digest
        if found:
            return found
    return None


def _hash_files(path: Path, memory: Path | None) -> dict[str, str]:
    """Hashes of a file, or of all files below a folder, by relative path; caches and hidden files are left out."""
    if path.is_file():
        files = {path.name: path}
    else:
        below = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
        files = {
            name.as_posix(): file
            for name, file in sorted(below.items())
            if name.name != LIST and not any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        }
    if memory is None:
        return {name: _sha256(file) for name, file in files.items()}
    return _remembered(files, memory)


def _remembered(files: dict[str, Path], memory: Path) -> dict[str, str]:
    """Hashes of the files by name, read anew only where `memory` has none for the file's size and time of change."""
    known = _recall(memory)
    keys = {name: f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for name, file in files.items()}
    new = {key: _sha256(files[name]) for name, key in keys.items() if key not in known}
    # What can't be remembered, on a disk that is full or read-only, is read again the next time.
    with suppress(OSError, InputError):
        if new:
            with atomic_path(memory) as temporary:
                temporary.write_text(json.dumps(known | new, indent=1, sort_keys=True), "utf-8")
    return {name: (known | new)[key] for name, key in keys.items()}


def _recall(memory: Path) -> dict[str, str]:
    """What the JSON file `memory` keeps; nothing where it isn't there or damaged, since all of it can be read anew."""
    try:
        known = json.loads(memory.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _sha256(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

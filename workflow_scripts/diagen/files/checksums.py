"""SHA-256 of model files: looked up cheaply when jobs are planned, verified before a model is used.

A run verifies a file once on each machine, not in each of its jobs and shards.

`verify` reports a missing weight file, and any other file in `SHA256SUMS` that is missing or changed. For a weight file
that no list contains, the module of `diagen.models` that loads it does.
"""

import fcntl
import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from diagen.config.models import ModelSource
from diagen.errors import InputError
from diagen.files.atomic import atomic_path
from diagen.files.own_folder import own_folder

LIST = "SHA256SUMS"
RUN = "DIAGEN_RUN"
"""Environment variable with the name of the run that started a program; a program without one is a run of its own."""
SETTLED = 2 * 10**9
"""Nanoseconds since the last change of a file; sooner, another change may leave the same time in its status."""
DOWNLOAD = "snakemake --cores 1 download_models --configfile <configuration>"
"""The command that downloads missing models, for messages."""


def checksum(path: str | Path, memory: Path | None = None) -> str:
    """Compute the SHA-256 (64 hexadecimal digits) of a model's file or folder.

    For a file this is the hash of its content; for a folder, of the sorted lines "<sha256>  <relative path>" of its
    files. If the folder or its parent has a list `SHA256SUMS`, the list is trusted and no file is read; `verify` checks
    it when the model is loaded. Otherwise each file is read once per size and modification time, which the JSON file
    `memory` records. Raises `InputError` if the path does not exist.
    """
    path = Path(path)
    if not path.exists():
        raise _missing(path)
    return _combine(_listed(path) or _hash_files(path, memory), path)


def _missing(path: Path) -> InputError:
    return InputError(f"{path}: no such file or folder. Put the model there, or correct its `path` in `models`")


def write_list(folder: Path) -> None:
    """Write `SHA256SUMS` into `folder`: the current hashes of all its files."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(_hash_files(folder, None).items())]
    with atomic_path(folder / LIST) as temporary:
        temporary.write_text("".join(lines), "utf-8")


def verify(model: ModelSource) -> None:
    """Read a model's files and compare them with `SHA256SUMS` and with `model.sha256`, if these exist.

    A file that another program of the run has read on this machine is not read again, unless its status has changed.
    Raises `InputError` with the first file that is missing or changed, or if the model is not downloaded.
    """
    path = model.location
    if not path.exists():
        if model.repository is not None:
            raise InputError(f"{path}: {model.repository} is not downloaded. Download it: {DOWNLOAD}")
        raise _missing(path)
    listed, found = _listed(path), _verified_hashes(_model_files(path))
    for name, digest in (listed or {}).items():
        if found.get(name) != digest:
            file = path if path.is_file() else path / name
            remedy = f"rm -r {model.folder}; {DOWNLOAD}" if model.folder else f"git checkout -- {file}"
            raise InputError(
                f"{file}: {'differs from' if name in found else 'is missing, but is listed in'} {LIST}. Restore it, "
                f"for example: {remedy}; if the change is intended, write its new hash into {LIST}"
            )
    digest = _combine(listed or found, path)
    if model.sha256 is not None and digest != model.sha256:
        raise InputError(
            f"{path}: the SHA-256 is {digest}, but the configuration names {model.sha256}. Restore the files, or "
            "correct `sha256` in `models`"
        )


def _combine(files: dict[str, str], path: Path) -> str:
    """Combine the hashes of a model's files, by relative path, into one."""
    if path.is_file():
        return files[path.name]
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _listed(path: Path) -> dict[str, str] | None:
    """Read hashes of a model's files, by relative path, from the nearest `SHA256SUMS`; `None` if it is not listed."""
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
    """Hash the files of a model by relative path."""
    files = _model_files(path)
    if memory is None:
        return {name: _sha256(file) for name, file in files.items()}
    return _recorded_hashes(files, memory)


def _model_files(path: Path) -> dict[str, Path]:
    """List a file, or all files below a folder, by relative path; caches and hidden files are ignored."""
    if path.is_file():
        return {path.name: path}
    below = {file.relative_to(path): file for file in path.rglob("*") if file.is_file()}
    return {
        name.as_posix(): file
        for name, file in sorted(below.items())
        if name.name != LIST and not any(part.startswith(".") or part == "__pycache__" for part in name.parts)
    }


def _recorded_hashes(files: dict[str, Path], memory: Path) -> dict[str, str]:
    """Hash files by name; a file is read only if `memory` has no hash for its size and modification time."""
    known = _read_memory(memory)
    keys = {name: f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for name, file in files.items()}
    new = {key: _sha256(files[name]) for name, key in keys.items() if key not in known}
    # If the record cannot be written (full or read-only disk), the files are read again next time.
    with suppress(OSError, InputError):
        if new:
            with atomic_path(memory) as temporary:
                temporary.write_text(json.dumps(known | new, indent=1, sort_keys=True), "utf-8")
    return {name: (known | new)[key] for name, key in keys.items()}


def _verified_hashes(files: dict[str, Path]) -> dict[str, str]:
    """Hash files by name; a file is read only if no program of this run has read it on this machine.

    Programs that start together wait for the one that reads. Unlike times of modification, times of change (ctime)
    cannot be set, so a changed file is read again.
    """
    run = os.environ.setdefault(RUN, f"{time.time_ns()}-{os.getpid()}")  # shards inherit it
    try:
        record = open(own_folder("models") / f"{run}.json", "a+", encoding="utf-8", errors="replace")
        fcntl.flock(record, fcntl.LOCK_EX)
    except OSError:  # full or foreign folder: nothing is remembered
        return {name: _sha256(file) for name, file in files.items()}
    with record:
        record.seek(0)
        known = _parse_memory(record.read())
        found, now = {}, time.time_ns()
        for name, file in files.items():
            status = file.stat()
            changes = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            key = " ".join(map(str, (file.resolve(), *changes)))
            found[name] = known.get(key) or _sha256(file)
            if now - status.st_ctime_ns > SETTLED:
                known[key] = found[name]
        with suppress(OSError):
            record.truncate(0)
            record.write(json.dumps(known))
            record.flush()
    return found


def _read_memory(memory: Path) -> dict[str, str]:
    """Read the JSON file `memory`; empty if it is missing or damaged, since the hashes can be computed again."""
    try:
        return _parse_memory(memory.read_text("utf-8"))
    except (FileNotFoundError, UnicodeDecodeError):
        return {}


def _parse_memory(text: str) -> dict[str, str]:
    try:
        known = json.loads(text)
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _sha256(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

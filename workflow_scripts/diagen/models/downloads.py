"""Atomic downloads of models into `models/`, pinned to a commit and checked against the hub's hashes."""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError
from urllib.request import urlopen

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.errors import HTTPError as HubConnectionError  # type: ignore[attr-defined]
from huggingface_hub.hf_api import RepoSibling

from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, ModelSource
from diagen.errors import InputError, rm
from diagen.files.checksums import DOWNLOAD, checksum, verify, write_list

GITHUB = "https://github.com"
TIMEOUT = 60  # seconds without an answer
DIFFUSION_WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}


def fetch(name: str, model: ModelSource, github: str = GITHUB) -> Path:
    """Download the model that `models.<name>` names by repository into its folder; returns the path to load.

    Files are collected in a hidden folder beside it, which is renamed once all files and their list `SHA256SUMS` are
    complete: downloads are atomic, and an interrupted one continues. A model that exists is verified, not downloaded.
    Stable Diffusion, Llama and backbones come from the Hugging Face hub (or the address in `HF_ENDPOINT`), the code of
    a feature extractor from `github`, its weights from their URL.
    Raises `InputError` that names what is missing, damaged or refused.
    """
    folder = model.folder
    if folder is None or folder.exists():
        verify(model)
        return model.location
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(model, FeatureModel):
            _fetch_code(model, partial, github)
            _fetch_weights(model, partial)
        else:
            _fetch_from_hub(model, partial)
    except InputError as error:
        raise InputError(f"models.{name}: {error}") from None
    except (HubConnectionError, HTTPException, OSError) as error:
        raise InputError(
            f"models.{name}: {model.repository} cannot be downloaded ({_first_line(error)}). Check the network and "
            f"download again, complete files are kept: {DOWNLOAD}"
        ) from None
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub client's records of unfinished files
    write_list(partial)
    _verify_total(name, model, partial / model.location.relative_to(folder), partial)
    partial.rename(folder)
    return model.location


def _verify_total(name: str, model: ModelSource, location: Path, partial: Path) -> None:
    """Compare the hash of all downloaded files with that in the configuration, if it names one."""
    found = checksum(location)
    if model.sha256 not in (None, found):
        raise InputError(
            f"models.{name}: the SHA-256 of the download is {found}, but the configuration names {model.sha256}. "
            f"Correct `sha256` or `revision`; if the files are wrong, remove them: {rm(partial, recursive=True)}"
        )


# ---------------------------------------------------------------- Hugging Face


def _fetch_from_hub(model: ModelSource, partial: Path) -> None:
    repository = _repository(model)
    try:
        info = HfApi().model_info(repository, revision=model.revision, files_metadata=True, timeout=TIMEOUT)
    except GatedRepoError:
        raise InputError(
            f"{repository} requires consent to its license. Accept it on the hub's page, then log in: hf auth login"
        ) from None
    except RevisionNotFoundError:
        raise InputError(
            f"{repository} has no revision {model.revision}. Set `revision` to a commit that the hub lists"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{repository} is not on the hub, or is private. Correct `repository`, or log in: hf auth login"
        ) from None
    entries = {entry.rfilename: entry for entry in info.siblings or ()}
    for file in needed_files(model, list(entries)):
        path = _hub_file(model, file, partial)
        found, expected = _hashes(entries[file], path)
        if found != expected:
            path.unlink()
            raise InputError(
                f"{file} of {repository} has the hash {found}, but the hub lists {expected or 'none'}. The file was "
                f"removed; download again: {DOWNLOAD}"
            )


def _repository(model: ModelSource) -> str:
    assert model.repository is not None, "only models with a repository have a folder to download into"
    return model.repository


def _hub_file(model: ModelSource, file: str, partial: Path) -> Path:
    try:
        return Path(hf_hub_download(_repository(model), file, revision=model.revision, local_dir=partial))
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code == 404:
            raise InputError(
                f"{model.repository} lists {file}, but does not provide it. Name another `revision`"
            ) from None
        raise


def needed_files(model: ModelSource, files: Sequence[str]) -> list[str]:
    """Select the files of a repository that loading the model requires; weights in safetensors (or GGUF) only.

    `files` lists all files of the repository. Raises `InputError` when some are missing.
    """
    file = getattr(model, "file", None)
    if file is not None:
        if file not in files:
            like = [name for name in files if Path(name).suffix == Path(file).suffix]
            raise InputError(
                f"{model.repository} has no file {file}. Set `file` to one that it has: "
                f"{', '.join(like) or 'none of this kind'}"
            )
        return [file]
    if isinstance(model, DiffusionModel):
        texts = [name for name in files if re.fullmatch(r"(scheduler|tokenizer)/.*\.(json|txt)", name)]
        texts += [name for name in files if name == "model_index.json"]
        parts = [_weights(model, files, f"{part}/", stem, model.variant) for part, stem in DIFFUSION_WEIGHTS.items()]
        return sorted({*texts, *(name for part in parts for name in part)})
    assert isinstance(model, BackboneModel)
    texts = [name for name in files if name == "preprocessor_config.json"]
    return sorted({*texts, *_weights(model, files, "", "model", None)})


def _weights(model: ModelSource, files: Iterable[str], folder: str, stem: str, variant: str | None) -> list[str]:
    """List the configuration and the safetensors weights of a part, in one file or in several with their index."""
    ending = re.escape(f".{variant}") if variant else ""
    shard = r"(-\d+-of-\d+)?"
    wanted = (
        rf"{folder}({stem}{shard}{ending}{shard}\.safetensors|{stem}\.safetensors\.index{ending}\.json|config\.json)"
    )
    found = [name for name in files if re.fullmatch(wanted, name)]
    lacking = [] if f"{folder}config.json" in found else [f"{folder}config.json"]
    if not any(name.endswith(".safetensors") for name in found):
        lacking.append(f"{folder}{stem}{f'.{variant}' if variant else ''}.safetensors")
    if lacking:
        raise InputError(
            f"{model.repository} at {model.revision} lacks {' and '.join(lacking)}. Name another `revision` or "
            "repository; weights in other formats are not downloaded, since they can contain code"
        )
    return found


def _hashes(entry: RepoSibling, path: Path) -> tuple[str, str | None]:
    """Compute the hash of a downloaded file and look up the hub's: SHA-256 for large files, git's hash for small."""
    if entry.lfs is not None:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), entry.lfs.sha256
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(), entry.blob_id


# ---------------------------------------------------------------- torch.hub


def _fetch_code(model: FeatureModel, partial: Path, github: str) -> None:
    """Download the files of a GitHub repository at the commit, from its archive."""
    archive = partial / ".code.zip"
    _fetch_url(f"{github}/{model.repository}/archive/{model.revision}.zip", archive)
    try:
        with zipfile.ZipFile(archive) as code:
            for item in code.infolist():
                inside = PurePosixPath(item.filename).parts[1:]  # the first part is the repository and the commit
                if item.is_dir() or not inside or ".." in inside:
                    continue
                path = partial.joinpath(*inside)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(code.read(item))
    except zipfile.BadZipFile:
        raise InputError(f"the archive of {model.repository} is damaged. Download again: {DOWNLOAD}") from None
    finally:
        archive.unlink()
    if not (partial / "hubconf.py").is_file():
        shutil.rmtree(partial)
        raise InputError(
            f"{model.repository} at {model.revision} has no hubconf.py, so it is no torch.hub repository. Correct "
            "`repository` or `revision`"
        )


def _fetch_weights(model: FeatureModel, partial: Path) -> None:
    if model.weights is not None and model.weights_file is not None:
        path = partial / model.weights_file.name
        if not path.is_file():
            _fetch_url(model.weights, path)


def _fetch_url(url: str, path: Path) -> None:
    """Download a file without a known hash; its length must be the one that the server states."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with urlopen(url, timeout=TIMEOUT) as response, open(unfinished, "wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)
            length = response.headers.get("Content-Length")
        if length is not None and unfinished.stat().st_size != int(length):
            raise InputError(
                f"{url} ended after {unfinished.stat().st_size} of {length} bytes. Download again: {DOWNLOAD}"
            )
        unfinished.replace(path)
    except HTTPError as error:
        raise InputError(
            f"{url} cannot be downloaded ({error.code} {error.reason}). Correct `repository`, `revision` or `weights`"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""Models of hubs, fetched into `models/`: pinned to a commit, checked against the hub's hashes, whole or not at all."""

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
from huggingface_hub.errors import HTTPError as HubConnectionError
from huggingface_hub.hf_api import RepoSibling

from diagen.config.models import BackboneModel, DiffusionModel, FeatureModel, ModelSource
from diagen.errors import InputError
from diagen.files.checksums import checksum, verify, write_list

GITHUB = "https://github.com"
TIMEOUT = 60  # seconds without an answer
DIFFUSION_WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}


def fetch(name: str, model: ModelSource, github: str = GITHUB) -> Path:
    """Fetch the model that `models.<name>` names by repository into its folder; returns where it is read from.

    The files are collected in a hidden folder beside it, which becomes the model's own when all are there and right,
    with their list `SHA256SUMS`: so a model is there whole or not at all, and an interrupted download goes on. What is
    there already is checked and not fetched again. Stable Diffusion, Llama and backbones come from the Hugging Face hub
    (or the address in `HF_ENDPOINT`), a feature extractor's code from `github` and its weights from their URL.
    Raises `InputError` that says what is missing, broken or refused.
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
            f"models.{name}: {model.repository} can't be fetched ({_first_line(error)}); check the network and run "
            "`snakemake download_models` again: files that are here whole stay"
        ) from None
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub's notes on unfinished files
    write_list(partial)
    _check_whole(name, model, partial)
    partial.rename(folder)
    return model.location


def _check_whole(name: str, model: ModelSource, partial: Path) -> None:
    """Compare all files together with the hash in the configuration, where it names one."""
    found = checksum(partial / model.location.relative_to(model.folder))
    if model.sha256 not in (None, found):
        raise InputError(
            f"models.{name}: the SHA-256 of what was fetched is {found}, but the configuration names {model.sha256}; "
            f"correct `sha256` or `revision`, or remove {partial} if the files are not what they should be"
        )


# ---------------------------------------------------------------- Hugging Face


def _fetch_from_hub(model: ModelSource, partial: Path) -> None:
    try:
        info = HfApi().model_info(model.repository, revision=model.revision, files_metadata=True, timeout=TIMEOUT)
    except GatedRepoError:
        raise InputError(
            f"{model.repository} asks for consent to its license; give it on the hub and log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise InputError(
            f"{model.repository} has no revision {model.revision}; look up the commit on the hub"
        ) from None
    except RepositoryNotFoundError:
        raise InputError(f"{model.repository} isn't on the hub, or not for all; check the name or log in") from None
    entries = {entry.rfilename: entry for entry in info.siblings or ()}
    for file in needed_files(model, list(entries)):
        path = _hub_file(model, file, partial)
        problem = _difference(entries[file], path)
        if problem:
            path.unlink()
            raise InputError(
                f"{file} of {model.repository} {problem}; it was removed: run `snakemake download_models` again"
            )


def _hub_file(model: ModelSource, file: str, partial: Path) -> Path:
    try:
        return Path(hf_hub_download(model.repository, file, revision=model.revision, local_dir=partial))
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code == 404:
            raise InputError(f"{model.repository} lists {file} but doesn't have it; try another revision") from None
        raise


def needed_files(model: ModelSource, files: Sequence[str]) -> list[str]:
    """Those of a repository's `files` that the model is loaded from, weights in safetensors (or GGUF) only.

    Raises `InputError` when some are not there.
    """
    file = getattr(model, "file", None)
    if file is not None:
        if file not in files:
            like = [name for name in files if Path(name).suffix == Path(file).suffix]
            raise InputError(f"{model.repository} has no file {file}; it has {', '.join(like) or 'none of this kind'}")
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
    """A part's configuration and its safetensors weights, in one file or several with their index."""
    ending = re.escape(f".{variant}") if variant else ""
    shard = r"(-\d+-of-\d+)?"
    wanted = (
        rf"{folder}({stem}{shard}{ending}{shard}\.safetensors|{stem}\.safetensors\.index{ending}\.json|config\.json)"
    )
    found = [name for name in files if re.fullmatch(wanted, name)]
    lacking = [] if f"{folder}config.json" in found else [f"{folder}config.json"]
    if not any(name.endswith(".safetensors") for name in found):
        lacking.append(f"{folder}{stem}{f'.{variant}' if variant else ''}.safetensors (other formats can hold code)")
    if lacking:
        raise InputError(f"{model.repository} at {model.revision} lacks {' and '.join(lacking)}; name another revision")
    return found


def _difference(entry: RepoSibling, path: Path) -> str | None:
    """How a fetched file differs from what the hub says of it: large files have a SHA-256, small ones git's hash."""
    if entry.lfs is not None:
        with open(path, "rb") as content:
            found, wanted = hashlib.file_digest(content, "sha256").hexdigest(), entry.lfs.sha256
    else:
        content = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        wanted = entry.blob_id or "not told by the hub"
    return None if found == wanted else f"has the hash {found}, but the hub names {wanted}"


# ---------------------------------------------------------------- torch.hub


def _fetch_code(model: FeatureModel, partial: Path, github: str) -> None:
    """The files of a GitHub repository at the commit, from its archive."""
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
        raise InputError(
            f"the archive of {model.repository} is broken; run `snakemake download_models` again"
        ) from None
    finally:
        archive.unlink()
    if not (partial / "hubconf.py").is_file():
        shutil.rmtree(partial)
        raise InputError(f"{model.repository} at {model.revision} holds no hubconf.py: it is no torch.hub repository")


def _fetch_weights(model: FeatureModel, partial: Path) -> None:
    if model.weights is not None and model.weights_file is not None:
        path = partial / model.weights_file.name
        if not path.is_file():
            _fetch_url(model.weights, path)


def _fetch_url(url: str, path: Path) -> None:
    """Fetch a file that has no hash of its own; it must have the length that the server says."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with urlopen(url, timeout=TIMEOUT) as response, open(unfinished, "wb") as file:
            shutil.copyfileobj(response, file, 1 << 20)
            length = response.headers.get("Content-Length")
        if length is not None and unfinished.stat().st_size != int(length):
            raise InputError(
                f"{url} broke off after {unfinished.stat().st_size} of {length} bytes; "
                "run `snakemake download_models` again"
            )
        unfinished.replace(path)
    except HTTPError as error:
        raise InputError(f"{url} can't be fetched: {error.code} {error.reason}; check the address") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

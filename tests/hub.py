"""A server on loopback that imitates the Hugging Face hub, GitHub's archives, and a host of weight files."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNWANTED = {"unet/diffusion_pytorch_model.bin": b"x", "pytorch_model.bin": b"x", "README.md": b"x"}
LARGE = (".safetensors", ".gguf")  # stored with Git LFS, so that the hub lists their SHA-256


@dataclass
class Hub:
    """The content of the server: repositories of the hub (files by name), archives of GitHub, and files by path.

    `replaced` has content that is sent instead of a file's own; `missing` files are listed but not found; the transfer
    of a file in `breaks` ends in the middle that many times. `requests` lists the requested paths.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    archives: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    replaced: dict[str, bytes] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    breaks: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""


def files_of(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder by relative path, without caches."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port of loopback and set its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = self.path.split("?")[0].strip("/")
            hub.requests.append(path)
            parts = path.split("/")
            if parts[:2] == ["api", "models"]:
                self.describe("/".join(parts[2:4]), parts[5])
            elif parts[2:3] == ["resolve"]:
                self.resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
            elif parts[2:3] == ["archive"] and parts[3] == f"{COMMIT}.zip" and "/".join(parts[:2]) in hub.archives:
                self.send_content(path, archive(hub.archives["/".join(parts[:2])], parts[1]))
            elif path in hub.files:
                self.send_content(path, hub.files[path])
            else:
                self.refuse(None)

        def describe(self, repository: str, revision: str) -> None:
            if repository not in hub.repositories:
                return self.refuse("RepoNotFound")
            if revision != COMMIT:
                return self.refuse("RevisionNotFound")
            siblings = [
                {"rfilename": name, "size": len(content), "blobId": git_hash(content)}
                | (
                    {"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 130}}
                    if large(name)
                    else {}
                )
                for name, content in hub.repositories[repository].items()
            ]
            answer = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings, "tags": []}
            self.send_content("", json.dumps(answer).encode(), {"Content-Type": "application/json"})

        def resolve(self, repository: str, revision: str, file: str) -> None:
            if repository not in hub.repositories or revision != COMMIT:
                return self.refuse("RepoNotFound")
            if file not in hub.repositories[repository] or file in hub.missing:
                return self.refuse("EntryNotFound")
            content = hub.repositories[repository][file]
            etag = sha256(content) if large(file) else git_hash(content)
            self.send_content(file, hub.replaced.get(file, content), {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'})

        def refuse(self, code: str | None) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()

        def send_content(self, file: str, content: bytes, headers: dict[str, str] | None = None) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            body = content[start:]
            self.send_response(206 if start else 200)
            for name, value in {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", **(headers or {})}.items():
                self.send_header(name, value)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.breaks.get(file, 0) > 0:
                hub.breaks[file] -= 1
                body = b"" if start else body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def hub_of(stand_ins: Path) -> Hub:
    """Serve the stand-ins as repositories; each also has files that must not be downloaded."""
    buffer = io.BytesIO()
    weights = load_file(stand_ins / "dinov2/dinov2_demo.safetensors")
    torch.save({name: tensor.float() for name, tensor in weights.items()}, buffer)
    code = {name: text for name, text in files_of(stand_ins / "dinov2").items() if "safetensors" not in name}
    return Hub(
        repositories={
            "some/diffusion": files_of(stand_ins / "stable_diffusion") | UNWANTED,
            "some/llama": {"llama.gguf": (stand_ins / "llama.gguf").read_bytes(), "other.gguf": b"x"},
            "some/resnet": files_of(stand_ins / "resnet") | UNWANTED,
        },
        archives={"research/dinov2": code},
        files={"weights/dinov2.pth": buffer.getvalue()},
    )


def named(hub: Hub) -> dict[str, dict[str, Any]]:
    """Return the models of a configuration, all named by repository."""
    return {
        "diffusion": {"repository": "some/diffusion", "revision": COMMIT, "image_size": 32},
        "llama": {"repository": "some/llama", "revision": COMMIT, "file": "llama.gguf", "context": 1024},
        "features": {
            "repository": "research/dinov2",
            "revision": COMMIT,
            "entry_point": "dinov2_demo",
            "weights": f"{hub.url}/weights/dinov2.pth",
            "image_size": 32,
        },
        "backbone": {"repository": "some/resnet", "revision": COMMIT},
    }


def archive(files: dict[str, bytes], name: str) -> bytes:
    """Return a zip of a repository in GitHub's layout: all files below one folder with the commit in its name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as code:
        for path, content in files.items():
            code.writestr(f"{name}-{COMMIT}/{path}", content)
    return buffer.getvalue()


def large(name: str) -> bool:
    return name.endswith(LARGE)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

"""Prompts from an endpoint: llama-cpp-python's server with the demo's Llama, and a key that is never written."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from diagen.config import EndpointPrompts
from diagen.data.images_file import ImageRow, write_images
from diagen.errors import InputError
from diagen.prompts.collection import kept_prompts
from diagen.prompts.endpoint import answer_lines, connect, write_endpoint_prompts
from diagen.prompts.form import form_fault
from diagen.prompts.judging import Judge
from diagen.prompts.prompts_file import read_prompts

ROOT = Path(__file__).parents[3]
INSTRUCTION = ROOT / "config/instructions/paper.txt"
KEY = "sk-this-is-the-key-0123456789"
VARIABLE = "DIAGEN_TEST_KEY"


def settings(address: str, **changes: Any) -> EndpointPrompts:
    block = {"source": "endpoint", "base_url": address, "model": "demo", "instruction": str(INSTRUCTION)}
    return EndpointPrompts(**{**block, "key_variable": VARIABLE, "per_class": 4, "attempts": 4, **changes})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoints of these tests run on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("diagen.prompts.endpoint.RETRIES", 0)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of llama-cpp-python's server, which requires the key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", "demo/models/llama.gguf", "--model_alias", "demo"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "1024", "--n_threads", "1", "--api_key", KEY]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}/v1"
    request = Request(f"{address}/models", headers={"Authorization": f"Bearer {KEY}"})
    started = time.monotonic()
    while True:
        try:
            with urlopen(request, timeout=5):
                break
        except (URLError, OSError):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() - started < 120, "the server does not start"
            time.sleep(0.2)
    yield address
    process.terminate()
    process.communicate()


def test_the_server_s_prompts_are_valid_and_repeatable(server: str) -> None:
    template = INSTRUCTION.read_text()
    asked = settings(server, temperature=0.8, top_p=0.95, max_tokens=40, spare=2)

    def written(block: EndpointPrompts) -> list:
        client = connect(block, {VARIABLE: KEY})
        return kept_prompts(write_endpoint_prompts(client, ["car", "pine_tree"], template, block))

    rows = written(asked)
    assert [(row.class_name, row.number) for row in rows] == [(n, i) for n in ("car", "pine_tree") for i in range(4)]
    assert len({row.prompt for row in rows}) == 8
    assert all(form_fault(row.prompt, row.class_name) is None for row in rows)
    assert written(asked) == rows
    assert written(asked.model_copy(update={"seed": 1})) != rows


@pytest.mark.parametrize("key", [KEY, "sk-a-wrong-key"])
def test_the_key_is_never_written(server: str, tmp_path: Path, key: str) -> None:
    """Neither settings, files nor output contain the key, whether the endpoint accepts or refuses it."""
    rows = [ImageRow(f"{name}.png", name, "train_val", 1, 1, "") for name in ("car", "house")]
    write_images(rows, tmp_path / "images.csv")
    program = [sys.executable, "workflow_scripts/write_prompts.py", tmp_path / "images.csv", INSTRUCTION]
    given = json.dumps({"prompts": settings(server).model_dump(), "llama": None})
    result = subprocess.run(
        [*program, "--settings", given, "--output", tmp_path / "prompts.csv"],
        cwd=ROOT,
        env={**os.environ, VARIABLE: key},
        capture_output=True,
        text=True,
        check=False,
    )
    printed = result.stdout + result.stderr
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert key not in printed + written + given
    if key == KEY:
        assert result.returncode == 0, printed
        assert "answers with demo" in printed
        assert {row.class_name for row in read_prompts(tmp_path / "prompts.csv")} == {"car", "house"}
    else:
        assert result.returncode == 2 and "Traceback" not in printed
        assert f"check the key in the environment variable {VARIABLE}" in printed
        assert not (tmp_path / "prompts.csv").exists()


def test_a_missing_key_is_reported() -> None:
    with pytest.raises(InputError, match=f"the environment variable {VARIABLE} contains no key"):
        connect(settings("http://127.0.0.1:1/v1"), {VARIABLE: " "})
    assert connect(settings("http://127.0.0.1:1/v1", key_variable=None), {}) is not None


class Stub(BaseHTTPRequestHandler):
    """An endpoint that records its requests and always answers the same."""

    asked: list[dict] = []
    status, kind, body = 200, "application/json", b""

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stub() -> Iterator[tuple[type[Stub], str]]:
    handler = type("Endpoint", (Stub,), {"asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def completion(text: str, reason: str = "stop") -> bytes:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "gpt", "choices": [choice]}
    return json.dumps(answer).encode()


def ask(address: str, **changes: Any) -> list[str]:
    block = settings(address, **changes)
    template = "Write {num_prompts} about {class_name}."
    lines = write_endpoint_prompts(connect(block, {VARIABLE: KEY}), ["pine_tree"], template, block)
    return [row.prompt for row in kept_prompts(lines)]


def test_only_configured_options_are_sent(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    endpoint.body = completion('Here you are:\n1. A photo of a old pine tree.\n2. "a photo of a pine tree in fog"\n')
    assert ask(address, per_class=2, spare=5, seed=None) == [
        "a photo of an old pine tree",
        "a photo of a pine tree in fog",
    ]
    messages = [{"role": "user", "content": "Write 7 about pine tree."}]
    assert endpoint.asked == [{"model": "demo", "messages": messages}]
    ask(address, per_class=2, temperature=0.5, top_p=0.9, max_tokens=30)
    (_, sent) = endpoint.asked
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.5, 0.9, 60)
    assert 0 <= sent["seed"] < 2**31


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "check the key"),
        (402, "no credits left"),
        (404, "has the model demo"),
        (429, "no quota"),
        (400, "set `seed: null`"),
    ],
)
def test_refusals_name_the_remedy_and_not_the_key(stub: tuple[type[Stub], str], status: int, remedy: str) -> None:
    endpoint, address = stub
    endpoint.status, endpoint.body = status, json.dumps({"error": {"message": f"no: {KEY}"}}).encode()
    with pytest.raises(InputError, match=remedy) as caught:
        ask(address)
    assert address in str(caught.value) and KEY not in str(caught.value) and "***" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_key_asks_for_one(stub: tuple[type[Stub], str], status: int) -> None:
    endpoint, address = stub
    endpoint.status, endpoint.body = status, b'{"error": {"message": "no key"}}'
    with pytest.raises(InputError, match="set `key_variable` to the environment variable that contains") as caught:
        ask(address, key_variable=None)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": f"Provider returned error: overloaded {KEY}."}},
        {"error": f"Provider returned error:\noverloaded {KEY}", "choices": None},
        {"error": {"message": f"Provider returned error: overloaded {KEY}", "code": 502}, "choices": []},
        {"choices": [{"error": {"message": f"Provider returned error: overloaded {KEY}"}, "message": None}]},
    ],
)
def test_errors_in_a_successful_answer_are_shown(stub: tuple[type[Stub], str], answer: dict) -> None:
    endpoint, address = stub
    endpoint.body = json.dumps(answer).encode()
    with pytest.raises(InputError) as caught:
        ask(address)
    shown = "the endpoint reports an error: Provider returned error: overloaded ***; run Snakemake again later"
    assert str(caught.value) == f"{address}: {shown}"


def test_an_error_s_code_in_a_successful_answer_decides_the_remedy(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    endpoint.body = b'{"error": {"message": "Insufficient credits", "code": 402}}'
    with pytest.raises(InputError, match="reports an error: Insufficient credits; the account .* no credits left"):
        ask(address)


@pytest.mark.parametrize("length", [1, 60, -1])
def test_a_truncated_answer_is_reported(stub: tuple[type[Stub], str], length: int) -> None:
    endpoint, address = stub
    endpoint.body = completion("a photo of a pine tree")[:length]
    with pytest.raises(InputError, match="not valid JSON and may be cut off; run Snakemake again") as caught:
        ask(address)
    assert str(caught.value).startswith(address)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{}", b'{"choices": []}', b'{"choices": [null]}', b""])
def test_other_answers_are_no_completions(stub: tuple[type[Stub], str], body: bytes) -> None:
    endpoint, address = stub
    endpoint.body = body
    with pytest.raises(InputError, match="not a chat completion"):
        ask(address)


def withheld(message: dict | None, reason: str) -> bytes:
    return json.dumps({"model": "gpt", "choices": [{"finish_reason": reason, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("body", "report"),
    [
        (withheld(None, "stop"), "the endpoint reports `finish_reason: stop`"),
        (withheld({"content": None}, "content_filter"), "the endpoint reports `finish_reason: content_filter`"),
        (
            withheld({"content": None, "refusal": "I can't do that."}, "stop"),
            "the endpoint reports a refusal: I can't do that",
        ),
    ],
)
def test_a_withheld_answer_is_reported(stub: tuple[type[Stub], str], body: bytes, report: str) -> None:
    endpoint, address = stub
    endpoint.body = body
    with pytest.raises(InputError, match="`pine_tree`: 4 calls") as caught:
        ask(address)
    assert f"{report}; change the instruction or the `model` of the prompt set, or raise" in str(caught.value)
    assert "max_tokens" not in str(caught.value)


def test_an_empty_answer_that_reached_its_limit_asks_for_more_tokens(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    endpoint.body = withheld({"content": None}, "length")
    with pytest.raises(InputError, match="raise `max_tokens` of the prompt set if it is set"):
        ask(address)


def test_the_parts_of_an_answer_are_joined(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a photo of a bad pine tree\n"}]},
        {"type": "text", "text": "a photo of a pine tree\na photo of a "},
        {"type": "text", "text": "red pine tree"},
    ]
    endpoint.body = withheld({"content": parts}, "stop")
    assert ask(address, per_class=2) == ["a photo of a pine tree", "a photo of a red pine tree"]


@pytest.mark.parametrize("opening", ["<think>\n", ""])
def test_drafts_are_no_prompts(opening: str) -> None:
    drafts = f"{opening}a photo of a draft car\n</think>\n<think>a photo of a second car</think>\n"
    assert answer_lines(f"{drafts}a photo of a car", cut=False) == ["a photo of a car"]


def test_an_answer_cut_inside_its_drafts_has_no_lines() -> None:
    assert answer_lines("<think>\na photo of a car\na photo of a r", cut=True) == []


def test_addresses_without_an_endpoint(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    endpoint.kind, endpoint.body = "text/html", b"<html>hello</html>"
    with pytest.raises(InputError, match="not a chat completion"):
        ask(address)
    with pytest.raises(InputError, match="check `base_url` and the network"):
        ask("http://127.0.0.1:1/v1")


def test_too_few_prompts_fail_clearly(stub: tuple[type[Stub], str]) -> None:
    endpoint, address = stub
    endpoint.body = completion("I can't help with that.")
    with pytest.raises(InputError, match="`pine_tree`: 4 calls") as error:
        ask(address)
    assert len(endpoint.asked) == 4
    assert "form 4 (such as `I can't help with that`); use a language model that follows" in str(error.value)
    assert "context" not in str(error.value) and "llama" not in str(error.value)


def test_lines_are_stripped() -> None:
    text = "* a photo of a car\n12) `a photo of a red car`.\n\n- “a photo of a car”\na photo of a car at ni"
    lines = ["a photo of a car", "a photo of a red car", "a photo of a car"]
    assert answer_lines(text, cut=True) == lines
    assert answer_lines(text, cut=False) == [*lines, "a photo of a car at ni"]


@pytest.mark.parametrize(
    "line",
    [
        "**1.** a photo of a car",
        "(1) a photo of a car",
        "[2] a photo of a car",
        "Prompt 1: a photo of a car",
        "**Prompt 12:** a photo of a car.",
        "Caption: “a photo of a car”",
        "3 – a photo of a car",
        "1. **a photo of a car**",
        "- *a photo of a car*",
        "> `a photo of a car`",
        "‘a photo of a car’,",
        "Prompt #3: a photo of a car",
        "**Prompt #12** - a photo of a car",
        "Caption No. 1: a photo of a car",
        "No. 1: a photo of a car",
        "Prompt number 4: a photo of a car",
        "a. a photo of a car",
        "(b) a photo of a car",
        "C) a photo of a car",
        "| 1 | a photo of a car |",
        "1. a photo of a car.\r",
        '"a photo of a car."\r',
    ],
)
def test_labels_of_lines_are_removed(line: str) -> None:
    assert answer_lines(line, cut=False) == ["a photo of a car"]


def test_no_sentence_loses_its_beginning() -> None:
    lines = ["Not a photo of a car", "It is a photo of a car", "This shows 2 cars: a photo of a car"]
    lines += ["There is no 1 like a photo of a car", "A car. A photo of a car"]
    assert answer_lines("\n".join(lines), cut=False) == lines


def test_typographic_characters_are_understood() -> None:
    answer = "a photo of a jack‑o’‑lantern at a shepherd’s hut – at night"
    plain = "a photo of a jack-o'-lantern at a shepherd's hut - at night"
    assert answer_lines(answer, cut=False) == [plain]
    assert form_fault(plain, "jack-o'-lantern") is None and form_fault(plain, "jack-o’-lantern") is None
    assert Judge("dog", ["dog", "shepherd’s_hut"]).refusal("a photo of a dog beside a shepherd's hut") == "other_name"

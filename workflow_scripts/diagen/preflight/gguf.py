"""A check of GGUF files."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagen.errors import InputError, rm

if TYPE_CHECKING:
    import numpy

CONTEXT = 8  # tokens; the smallest that costs no memory


def open_gguf(path: Path) -> None:
    """Have llama.cpp load a GGUF file on the CPU and predict one token.

    Raises `InputError` if it cannot, if tensors are missing, if the file is truncated or its predictions are not
    finite.
    """
    import llama_cpp
    import numpy

    options = llama_cpp.llama_model_default_params()
    options.n_gpu_layers = 0
    options.use_extra_bufts = False  # a faster order of the weights, which takes longer than one token
    with _collected_log() as lines:
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
        if not model:
            raise InputError(f"{path}: llama.cpp cannot load it ({_reason(lines)}). {_restore(path)}")
        try:
            predicted = _predict(model)
        finally:
            llama_cpp.llama_model_free(model)
        if predicted is None:
            raise InputError(
                f"{path}: llama.cpp cannot predict text with it ({_reason(lines)}). Name the GGUF file of a language "
                "model that answers instructions"
            )
        if not numpy.isfinite(predicted).all():
            raise InputError(f"{path}: its predictions are not finite, so its weights are damaged. {_restore(path)}")


@contextmanager
def _collected_log() -> Iterator[list[str]]:
    """Collect the lines of llama.cpp's log, which is printed otherwise."""
    import llama_cpp

    lines: list[str] = []

    def collect(level: int, text: bytes, _: object) -> None:
        lines.append(text.decode("utf-8", "replace").strip())

    former, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(former), ctypes.byref(data))
    callback = llama_cpp.llama_log_callback(collect)
    llama_cpp.llama_log_set(callback, None)
    try:
        yield lines
    finally:
        llama_cpp.llama_log_set(former, data)


def _predict(model: Any) -> numpy.ndarray | None:
    """Compute the model's scores [tokens] (float32) after its first token; `None` if it computes none."""
    import llama_cpp
    import numpy

    options = llama_cpp.llama_context_default_params()
    options.n_ctx = options.n_batch = CONTEXT
    context = llama_cpp.llama_init_from_model(model, options)
    if not context:
        return None
    try:
        first = llama_cpp.llama_batch_get_one((llama_cpp.llama_token * 1)(0), 1)
        done = llama_cpp.llama_model_has_decoder(model) and llama_cpp.llama_decode(context, first) == 0
        scores = llama_cpp.llama_get_logits_ith(context, -1) if done else None
        if not scores:
            return None
        tokens = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        return numpy.ctypeslib.as_array(scores, shape=(tokens,)).copy()
    finally:
        llama_cpp.llama_free(context)


def _reason(lines: list[str]) -> str:
    """Return the first line of llama.cpp's log that reports an error."""
    return next(iter([text for text in lines if "error" in text or "fail" in text] or lines), "no reason given")


def _restore(path: Path) -> str:
    return f"Delete it and download it again: {rm(path)}"

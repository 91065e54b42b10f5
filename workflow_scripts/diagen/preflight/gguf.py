"""A check of GGUF files."""

from pathlib import Path

from diagen.errors import InputError, rm


def open_gguf(path: Path) -> None:
    """Have llama.cpp read a GGUF file's header, vocabulary and tensor positions, but not its tensors.

    Raises `InputError` if it cannot, or if the file is truncated.
    """
    import llama_cpp

    lines: list[str] = []

    def collect(level: int, text: bytes, _: object) -> None:
        lines.append(text.decode("utf-8", "replace").strip())

    callback = llama_cpp.llama_log_callback(collect)
    llama_cpp.llama_log_set(callback, None)
    options = llama_cpp.llama_model_default_params()
    options.vocab_only = True
    try:
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
        if not model:
            reasons = [text for text in lines if "error" in text or "fail" in text] or lines or ["no reason given"]
            raise InputError(
                f"{path}: llama.cpp cannot load it ({reasons[0]}). Delete it and download it again: {rm(path)}"
            )
        llama_cpp.llama_model_free(model)
    finally:
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(), None)

"""A check that a GGUF file's chat template accepts an instruction, without loading the model."""

import logging
from pathlib import Path

from diagen.errors import InputError, summary


def check_chat_template(path: Path, instruction: str) -> None:
    """Render `instruction` as a user's message through the chat template of the GGUF file at `path`.

    Only the vocabulary is read, in a fraction of a second. A file without a template passes: llama.cpp has one of its
    own for it. Raises `InputError` if the template is not valid or raises an error, or if the file cannot be read.
    """
    import llama_cpp
    from jinja2 import TemplateError
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)  # as `Llama(verbose=False)`: llama.cpp lists all keys
    options = llama_cpp.llama_model_default_params()
    options.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), options)
    if not model:
        raise InputError(f"models.llama: {path}: llama.cpp cannot load it; name a GGUF file that it can load")
    try:
        template = llama_cpp.llama_model_chat_template(model, None)
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        begin, end = (
            (llama_cpp.llama_vocab_get_text(vocabulary, token) or b"").decode("utf-8", "replace") if token >= 0 else ""
            for token in (llama_cpp.llama_vocab_bos(vocabulary), llama_cpp.llama_vocab_eos(vocabulary))
        )
    finally:
        llama_cpp.llama_model_free(model)
    if not template:
        return
    try:
        formatter = Jinja2ChatFormatter(template.decode("utf-8", "replace"), eos_token=end, bos_token=begin)
        formatter(messages=[{"role": "user", "content": instruction}])
    except (TemplateError, ValueError, TypeError) as error:
        raise InputError(
            f"models.llama: {path}: its chat template cannot render an instruction ({summary(error)}); "
            "name another GGUF file, such as the instruct version of the model by another publisher"
        ) from None

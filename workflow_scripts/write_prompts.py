"""Get prompts for each class of a dataset: from a local language model, an endpoint, or a table written by hand."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from diagen.config import ComposedPrompts, EndpointPrompts, PromptTable
from diagen.config.programs import WritePromptsSettings
from diagen.data.images_file import read_images
from diagen.errors import InputError
from diagen.files.checksums import verify
from diagen.runtime.gpu_lease import lease_gpu
from diagen.runtime.program import run


def main() -> None:
    """Read the classes of `images.csv` and write a table of prompts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="images.csv of the dataset")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the prompt set's files: an instruction with {num_prompts} and {class_name}; those for adjectives and for "
        "settings (source composed); or the table (source table)",
    )
    parser.add_argument(
        "--settings",
        required=True,
        type=WritePromptsSettings.from_argument,
        metavar="JSON",
        help='{"prompts": a block of `prompts`, "llama": `models.llama` where the source asks it}',
    )
    parser.add_argument(
        "--device",
        default="cpu",
        choices=["auto", "cpu", "cuda", "mps"],
        help="any but `cpu` uses the GPU that llama.cpp was built for, if there is one (default: %(default)s)",
    )
    parser.add_argument("--torch-threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="table of prompts to write")
    arguments = parser.parse_args()
    class_names = sorted({row.class_name for row in read_images(arguments.images)})
    prompts.write_prompts(rows_of(class_names, arguments), arguments.output)


def rows_of(class_names: list[str], arguments: argparse.Namespace) -> Iterable[prompts.PromptRow]:
    """The prompts from the source that the settings name."""
    block, model = arguments.settings.prompts, arguments.settings.llama
    if isinstance(block, PromptTable):
        from diagen.prompts.hand_written import read_prompt_table

        return read_prompt_table(arguments.files[0], class_names)
    texts = [file.read_text(encoding="utf-8") for file in arguments.files]
    if isinstance(block, EndpointPrompts):
        from diagen.prompts.endpoint import connect, write_endpoint_prompts

        return write_endpoint_prompts(connect(block, os.environ), class_names, texts[0], block)
    if model is None:
        raise InputError("the settings name no `llama`, which this prompt set's source asks")
    verify(model)
    if arguments.device in ("auto", "cuda"):
        lease_gpu()
    llama = prompts.load_language_model(model, threads=arguments.torch_threads, gpu=arguments.device != "cpu")
    if isinstance(block, ComposedPrompts):
        from diagen.prompts.composed import compose_class_prompts

        return compose_class_prompts(llama, class_names, *texts, block)
    return prompts.write_class_prompts(llama, class_names, texts[0], block)


if __name__ == "__main__":
    run(main)

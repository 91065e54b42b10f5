"""Write prompts for each class of a dataset, from a local language model, an endpoint, or a hand-written table."""

import argparse
from pathlib import Path

from diagen.config.programs import WritePromptsSettings
from diagen.data.images_file import read_images
from diagen.files.checksums import verify
from diagen.files.made_with import made_with, write_made_with
from diagen.prompts.collection import kept_prompts
from diagen.prompts.lines_file import lines_path, write_lines
from diagen.prompts.prompts_file import write_prompts
from diagen.prompts.sources import lines_from_source
from diagen.runtime.arguments import add_execution_arguments
from diagen.runtime.llama_device import prepare_llama
from diagen.runtime.program import run


def main() -> None:
    """Read the classes in `images.csv`; write a table of prompts, and one of all lines with the verdict on each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="images.csv of the dataset")
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="files of the prompt set: the instruction with {num_prompts} and {class_name} (source llama or endpoint), "
        "the instructions for adjectives and for settings (composed), or the table (table)",
    )
    parser.add_argument(
        "--settings",
        required=True,
        type=WritePromptsSettings.from_argument,
        metavar="JSON",
        help='{"prompts": a block of `prompts`, "llama": `models.llama` if the source uses it}',
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        metavar="CSV",
        help="table of prompts to write; that of all lines, .lines.csv, is beside it",
    )
    add_execution_arguments(parser, micro_batch=False)
    arguments = parser.parse_args()
    settings, threads = arguments.settings, arguments.torch_threads

    device, record = "cpu", made_with([])
    if settings.llama is not None:
        verify(settings.llama)
        device = prepare_llama(arguments.device)
        record = made_with(["llama-cpp-python"], device, torch_threads=threads)
    class_names = sorted({row.class_name for row in read_images(arguments.images)})
    lines = list(lines_from_source(class_names, arguments.files, settings, threads=threads, gpu=device != "cpu"))
    write_lines(lines, lines_path(arguments.output))
    write_prompts(kept_prompts(lines), arguments.output)
    write_made_with([record], arguments.output)


if __name__ == "__main__":
    run(main)

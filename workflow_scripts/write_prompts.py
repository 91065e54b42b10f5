"""Have a local language model write prompts for each class of a dataset."""

import argparse
from pathlib import Path

from diagen.checksums import verify
from diagen.config.programs import WritePromptsSettings
from diagen.datasets import read_images
from diagen.errors import run
from diagen.prompts import load_language_model, write_class_prompts, write_prompts


def main() -> None:
    """Read the classes of `images.csv` and write a table of prompts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, metavar="IMAGES", help="images.csv of the dataset")
    parser.add_argument(
        "--settings", required=True, metavar="JSON", help='{"prompts": a block of `prompts`, "llama": `models.llama`}'
    )
    parser.add_argument(
        "--instruction", required=True, type=Path, metavar="FILE", help="text with {num_prompts} and {class_name}"
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
    settings = WritePromptsSettings.model_validate_json(arguments.settings)
    verify(settings.llama)
    llama = load_language_model(settings.llama, threads=arguments.torch_threads, gpu=arguments.device != "cpu")
    class_names = sorted({row.class_name for row in read_images(arguments.images)})
    template = arguments.instruction.read_text(encoding="utf-8")
    write_prompts(write_class_prompts(llama, class_names, template, settings.prompts), arguments.output)


if __name__ == "__main__":
    run(main)

"""Generate one image of a class again and again, at growing noise on its learned word."""

import argparse
from pathlib import Path

from diagen.config.programs import DrawNoiseLadderSettings
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Read a cell's guide images and words, generate the missing images, and write their manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("embeddings", type=Path, help="learned words, one tensor per class (safetensors)")
    parser.add_argument("--settings", required=True, type=DrawNoiseLadderSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="folder of images")
    parser.add_argument("--output", required=True, type=Path, help="manifest to write (CSV)")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings, store = arguments.settings, arguments.store
    verify(settings.generation.diffusion)
    device = prepare_torch(arguments.device, arguments.torch_threads, settings.generation.diffusion.dtype)

    from diagen.data.shots_file import read_shots
    from diagen.embeddings.words_file import read_words
    from diagen.generation.fill import generate, image_names, manifest_of, missing_rows
    from diagen.generation.manifest_file import write_manifest
    from diagen.generation.noise_ladder import ladder_rows
    from diagen.models.diffusion import load_diffusion

    rows = ladder_rows(read_shots(arguments.table), settings.levels, cell_of(arguments))
    words = read_words(arguments.embeddings)
    names = image_names(rows, words, settings.generation)
    if missing := missing_rows(rows, names, store):
        diffusion = load_diffusion(settings.generation.diffusion, device)
        generate(diffusion, missing, words, settings.generation, store, arguments.micro_batch)
    manifest, records = manifest_of(rows, names, store)
    write_manifest(manifest, arguments.output)
    write_made_with(records, arguments.output)


if __name__ == "__main__":
    run(main)

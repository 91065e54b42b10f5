"""Generate the images of a plan that the store lacks, and write the manifest when all are there."""

import argparse
from pathlib import Path

from diagen.config.programs import GenerateImagesSettings
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_execution_arguments
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run
from diagen.runtime.shards import add_shard_arguments, of_shard, run_shards


def main() -> None:
    """Read `plan.csv` and learned words, generate missing images, and write `manifest.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="plan.csv")
    parser.add_argument(
        "embeddings",
        type=Path,
        nargs="?",
        help="learned words, one tensor per class (safetensors); omit for plans with plain class names",
    )
    parser.add_argument("--settings", required=True, type=GenerateImagesSettings.from_argument, help="as JSON")
    parser.add_argument("--store", required=True, type=Path, help="folder of images")
    parser.add_argument("--output", required=True, type=Path, help="manifest.csv to write")
    add_execution_arguments(parser)
    add_shard_arguments(parser)
    parser.add_argument("--compile", default="no", choices=["no", "yes"], help="compile the UNet (default: no)")
    arguments = parser.parse_args()
    settings, store, shard = arguments.settings, arguments.store, arguments.shard

    verify(settings.diffusion)
    shards_done = run_shards(arguments.shards, shard)
    on = "cpu" if shards_done else arguments.device
    device = prepare_torch(on, arguments.torch_threads, settings.diffusion.dtype)

    from diagen.embeddings.words_file import read_words
    from diagen.generation.fill import generate, image_names, manifest_of, missing_rows
    from diagen.generation.manifest_file import write_manifest
    from diagen.generation.plan_file import read_plan
    from diagen.models.diffusion import load_diffusion

    plan, words = read_plan(arguments.plan), read_words(arguments.embeddings) if arguments.embeddings else {}
    rows = of_shard(plan, [row.class_name for row in plan], arguments.shards, shard)
    names = image_names(rows, words, settings)
    missing = missing_rows(rows, names, store)
    if missing:
        diffusion, compile_unet = load_diffusion(settings.diffusion, device), arguments.compile == "yes"
        generate(diffusion, missing, words, settings, store, arguments.micro_batch, compile_unet=compile_unet)
    if shard is None:
        manifest, records = manifest_of(rows, names, store)
        write_manifest(manifest, arguments.output)
        write_made_with(records, arguments.output)


if __name__ == "__main__":
    run(main)

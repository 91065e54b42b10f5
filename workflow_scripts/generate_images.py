"""Generate the images of a plan, each once, and write the manifest when all of them lie in the store."""

import argparse
from pathlib import Path

from diagen.config.programs import GenerateImagesSettings
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run
from diagen.runtime.shards import add_shard_arguments, of_shard, run_shards


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="plan.csv")
    parser.add_argument(
        "embeddings",
        type=Path,
        nargs="?",
        help="learned words, one tensor per class (safetensors); none for plans with plain class names",
    )
    parser.add_argument("--settings", required=True, type=GenerateImagesSettings.from_argument, help="as JSON")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps the images")
    parser.add_argument("--output", required=True, type=Path, help="manifest.csv to write")
    add_execution_arguments(parser)
    add_shard_arguments(parser)
    arguments = parser.parse_args()
    settings, store, shard = arguments.settings, arguments.store, arguments.shard

    verify(settings.diffusion)
    made = run_shards(arguments.shards, shard)
    device = prepare_torch("cpu" if made else arguments.device, arguments.torch_threads)

    from diagen.embeddings.words_file import read_words
    from diagen.generation.plan_file import read_plan
    from diagen.models.diffusion import load_diffusion

    plan, words = read_plan(arguments.plan), read_words(arguments.embeddings) if arguments.embeddings else {}
    rows = of_shard(plan, [row.class_name for row in plan], arguments.shards, shard)
    code = fingerprint(Path(generation.__file__))
    names = [generation.image_name(row, generation.word_of(row, words), settings, code) for row in rows]
    missing = generation.missing_rows(rows, names, store)
    if missing:
        diffusion = load_diffusion(settings.diffusion, device)
        generation.generate(diffusion, missing, words, settings, store, arguments.micro_batch)
    if shard is None:
        generation.write_manifest_of(rows, names, store, arguments.output)


if __name__ == "__main__":
    run(main)

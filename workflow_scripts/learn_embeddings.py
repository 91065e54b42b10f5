"""Learn the word of each class of a cell from its guide images (Textual Inversion), all words together."""

import argparse
from pathlib import Path

from diagen.config.programs import LearnEmbeddingsSettings
from diagen.errors import InputError
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run
from diagen.runtime.shards import add_shard_arguments, of_shard, run_shards


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", type=Path, help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=LearnEmbeddingsSettings.from_argument, help="as JSON")
    parser.add_argument("--dataset", required=True, help="name of the dataset, for the seeds")
    parser.add_argument("--seed", required=True, type=int, help="seed of the cell")
    parser.add_argument("--shots", required=True, type=int, dest="count", help="guide images per class")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps checkpoints and words")
    parser.add_argument("--words-together", type=int, default=8, metavar="N", help="words per batch (default: 8)")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")
    add_execution_arguments(parser)
    add_shard_arguments(parser)
    arguments = parser.parse_args()

    verify(arguments.settings.diffusion)
    made = run_shards(arguments.shards, arguments.shard)
    device = prepare_torch("cpu" if made else arguments.device, arguments.torch_threads)

    from diagen.data.shots_file import read_shots
    from diagen.embeddings import inversion, word_groups

    cell = (arguments.dataset, arguments.seed, arguments.count)
    groups = word_groups.group_classes(read_shots(arguments.shots), arguments.words_together)
    code = fingerprint(Path(inversion.__file__))
    paths = [word_groups.group_path(arguments.store, group, cell, arguments.settings, code) for group in groups]
    try:
        for group, path in of_shard(
            list(zip(groups, paths, strict=True)), range(len(groups)), arguments.shards, arguments.shard
        ):
            word_groups.learn_group(group, path, cell, arguments.settings, device, arguments.micro_batch)
    except FloatingPointError as error:
        raise InputError(str(error)) from None
    if arguments.shard is None:
        word_groups.merge_groups(paths, arguments.output)


if __name__ == "__main__":
    run(main)

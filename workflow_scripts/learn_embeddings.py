"""Learn the word of each class of a cell from its guide images (Textual Inversion)."""

import argparse
from pathlib import Path

from diagen.config.programs import LearnEmbeddingsSettings
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of, positive
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run
from diagen.runtime.shards import add_shard_arguments, run_shards


def main() -> None:
    """Read `shots.csv` and write the learned words of its classes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("--settings", required=True, type=LearnEmbeddingsSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="folder of checkpoints and words")
    parser.add_argument(
        "--words-together", type=positive, default=8, metavar="N", help="words per batch (default: %(default)s)"
    )
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")
    add_execution_arguments(parser)
    add_shard_arguments(parser)
    arguments = parser.parse_args()

    settings = arguments.settings
    verify(settings.diffusion)
    shards_done = run_shards(arguments.shards, arguments.shard)
    on = "cpu" if shards_done else arguments.device
    device = prepare_torch(on, arguments.torch_threads, settings.embedding.dtype)

    from diagen.data.shots_file import read_shots
    from diagen.embeddings.word_groups import learn_cell
    from diagen.embeddings.words_file import read_learned_words, write_words

    paths = learn_cell(
        read_shots(arguments.table),
        cell_of(arguments),
        settings,
        arguments.store,
        words_together=arguments.words_together,
        shards=arguments.shards,
        shard=arguments.shard,
        device=device,
        micro_batch=arguments.micro_batch,
    )
    if arguments.shard is None:
        words = [word for path in paths for word in read_learned_words(path)]
        write_words(words, arguments.output)
        write_made_with([word.made_with for word in words], arguments.output)


if __name__ == "__main__":
    run(main)

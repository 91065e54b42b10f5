"""Find the largest noise level that each class of a cell tolerates, by the guide classifier's confidence."""

import argparse
from pathlib import Path

from diagen.config.programs import FindNoiseCeilingsSettings
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_cell_arguments, add_execution_arguments, cell_of
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Read a cell's words and guide classifier and write a table of trials and ceilings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument("embeddings", type=Path, help="learned words, one tensor per class (safetensors)")
    parser.add_argument("guide_classifier", type=Path, help="output folder of train_guide_classifier")
    parser.add_argument("--settings", required=True, type=FindNoiseCeilingsSettings.from_argument, help="as JSON")
    add_cell_arguments(parser)
    parser.add_argument("--store", required=True, type=Path, help="folder of trial images")
    parser.add_argument("--output", required=True, type=Path, help="table of trials and ceilings to write (CSV)")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings = arguments.settings
    verify(settings.generation.diffusion)
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads, settings.generation.diffusion.dtype)

    from diagen.data.shots_file import read_shots
    from diagen.embeddings.words_file import read_words
    from diagen.guide_classifiers.trained import load_guide_classifier
    from diagen.models.diffusion import load_diffusion
    from diagen.noise_ceilings.ceilings_file import write_ceilings
    from diagen.noise_ceilings.trials import Models, run_trials
    from diagen.runtime.made_with import torch_record

    models = Models(
        load_diffusion(settings.generation.diffusion, device),
        read_words(arguments.embeddings),
        *load_guide_classifier(arguments.guide_classifier, settings.backbone, device),
    )
    trials = run_trials(
        models,
        read_shots(arguments.table),
        cell_of(arguments),
        settings,
        store=arguments.store,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    write_ceilings(trials, arguments.output)
    packages = ("torch", "diffusers", "transformers")
    write_made_with([torch_record(packages, device, micro_batch=arguments.micro_batch)], arguments.output)


if __name__ == "__main__":
    run(main)

"""Find for each class of a cell how much noise its word bears, by the guide classifier's confidence in trial images."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from diagen.config.programs import FindNoiseCeilingsSettings
from diagen.files.checksums import verify
from diagen.runtime.execution import add_execution_arguments, prepare_torch
from diagen.runtime.fingerprint import fingerprint
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shots", type=Path, help="shots.csv of the cell")
    parser.add_argument("embeddings", type=Path, help="learned words, one tensor per class (safetensors)")
    parser.add_argument("guide", type=Path, help="folder that train_guide_classifier wrote")
    parser.add_argument("--settings", required=True, type=FindNoiseCeilingsSettings.from_argument, help="as JSON")
    parser.add_argument("--seed", required=True, type=int, help="seed of the cell")
    parser.add_argument("--shots", required=True, type=int, dest="count", help="guide images per class")
    parser.add_argument("--store", required=True, type=Path, help="folder that keeps the trial images")
    parser.add_argument("--output", required=True, type=Path, help="table of trials and ceilings to write (CSV)")
    add_execution_arguments(parser)
    arguments = parser.parse_args()
    settings, store = arguments.settings, arguments.store
    verify(settings.generation.diffusion)
    verify(settings.backbone)
    device = prepare_torch(arguments.device, arguments.torch_threads)

    from diagen.classifiers import heads, linear_probe
    from diagen.data.shots_file import read_shots
    from diagen.embeddings.words_file import read_words
    from diagen.files.json_files import read_calibration
    from diagen.models.backbones import load_backbone
    from diagen.models.diffusion import load_diffusion
    from diagen.noise_ceilings import ceilings
    from diagen.weighting.calibration import class_confidences

    cell, words = read_shots(arguments.shots), read_words(arguments.embeddings)
    head = heads.read_head(arguments.guide / "head.safetensors")
    temperature = read_calibration(arguments.guide / "calibration.json")["temperature"]
    diffusion = load_diffusion(settings.generation.diffusion, device)
    backbone = load_backbone(settings.backbone, device)
    code = fingerprint(Path(generation.__file__))
    who = {"dataset": settings.dataset, "seed": arguments.seed, "shots": arguments.count}

    def confidences(levels: Mapping[str, float]) -> dict[str, float]:
        """The mean confidence of each class in its trial images at its level."""
        rows = ceilings.probe_rows(cell, levels, settings.images_per_level, **who)
        spoken = [generation.word_of(row, words) for row in rows]
        names = [
            generation.image_name(row, word, settings.generation, code) for row, word in zip(rows, spoken, strict=True)
        ]
        missing = generation.missing_rows(rows, names, store)
        generation.generate(diffusion, missing, words, settings.generation, store, arguments.micro_batch)
        how = {"size": settings.image_size, "micro_batch": arguments.micro_batch, "device": device}
        features = linear_probe.plain_features(backbone, [store / name for name in names], **how)
        labels = linear_probe.labels_of([row.class_name for row in rows], head.classes, arguments.shots)
        values = class_confidences(head.logits(features), labels, temperature)
        pairs = list(zip(rows, values, strict=True))
        return {name: fmean(value for row, value in pairs if row.class_name == name) for name in levels}

    trials = ceilings.find_ceilings(
        sorted(words),
        settings.levels,
        keep=settings.keep,
        images=settings.images_per_level,
        confidences=confidences,
    )
    ceilings.write_ceilings(trials, arguments.output)


if __name__ == "__main__":
    run(main)

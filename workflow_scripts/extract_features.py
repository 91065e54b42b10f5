"""Extract the features of the images in a table: float32 [images, D], rows in the order of the table."""

import argparse
from pathlib import Path

from diagen.config.programs import ExtractFeaturesSettings
from diagen.files.atomic import atomic_path
from diagen.files.checksums import verify
from diagen.files.made_with import write_made_with
from diagen.runtime.arguments import add_execution_arguments
from diagen.runtime.execution import prepare_torch
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="images.csv (column `path`) or manifest.csv (column `file_name`)")
    parser.add_argument("--root", required=True, type=Path, help="folder to which the paths in the table are relative")
    parser.add_argument("--settings", required=True, type=ExtractFeaturesSettings.from_argument, help="as JSON")
    parser.add_argument("--output", required=True, type=Path, help="features.npy to write")
    add_execution_arguments(parser, jobs_per_gpu=True)
    arguments = parser.parse_args()
    source = arguments.settings.features
    verify(source)
    device = prepare_torch(arguments.device, arguments.torch_threads, jobs_per_gpu=arguments.jobs_per_gpu)

    import numpy as np

    from diagen.diversity.features import image_features, listed_images
    from diagen.models.backbones import load_feature_extractor
    from diagen.runtime.made_with import torch_record

    features = image_features(
        load_feature_extractor(source, device),
        [arguments.root / name for name in listed_images(arguments.table)],
        size=source.image_size,
        micro_batch=arguments.micro_batch,
        device=device,
    )
    with atomic_path(arguments.output) as temporary:
        np.save(temporary, features, allow_pickle=False)
    record = torch_record(("torch", "transformers"), device, micro_batch=arguments.micro_batch)
    write_made_with([record], arguments.output)


if __name__ == "__main__":
    run(main)

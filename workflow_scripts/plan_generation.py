"""Plan every synthetic image of one generator in one cell: guide image, prompt, noise level and seeds."""

import argparse
from pathlib import Path

from diagen.config.programs import PlanGenerationSettings
from diagen.data.shots_file import read_shots
from diagen.generation.plan import plan_generation
from diagen.generation.plan_file import write_plan
from diagen.noise_ceilings.ceilings_file import read_ceilings
from diagen.prompts.prompts_file import read_prompts
from diagen.runtime.arguments import add_cell_arguments, cell_of
from diagen.runtime.program import run


def main() -> None:
    """Read `shots.csv` and, if given, prompts and noise ceilings; write `plan.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, metavar="SHOTS", help="shots.csv of the cell")
    parser.add_argument(
        "--prompts", type=Path, metavar="CSV", help="table of prompts (default: `a photo of a <class>` for all images)"
    )
    parser.add_argument(
        "--ceilings",
        type=Path,
        metavar="CSV",
        help="table of noise ceilings (default: the same levels for all classes)",
    )
    parser.add_argument(
        "--settings",
        required=True,
        metavar="JSON",
        type=PlanGenerationSettings.from_argument,
        help='{"images_per_guide": number, "noise_levels": [standard deviations]} and other keys of a generator',
    )
    add_cell_arguments(parser)
    parser.add_argument("--output", required=True, type=Path, metavar="CSV", help="plan.csv to write")
    arguments = parser.parse_args()
    rows = plan_generation(
        read_shots(arguments.table),
        read_prompts(arguments.prompts) if arguments.prompts else None,
        arguments.settings,
        cell_of(arguments),
        ceilings=read_ceilings(arguments.ceilings) if arguments.ceilings else None,
    )
    write_plan(rows, arguments.output)


if __name__ == "__main__":
    run(main)

"""Check before a run whether it can succeed: configuration, datasets, models, device, disk, jobs, hours per stage.

Reports all problems together; the exit status is 2 if there are any.
"""

import argparse
import sys
from pathlib import Path

import diagen.runtime.execution  # noqa: F401  (first: libraries read its environment variables on import)
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the configuration (YAML or JSON)")
    parser.add_argument("--name", help="its name in the report (default: the file's name)")
    parser.add_argument(
        "--jobs", required=True, type=Path, help="file with the output of `snakemake --dry-run --quiet rules`"
    )
    parser.add_argument(
        "--gpus", type=int, default=-1, metavar="N", help="Snakemake's limit on `gpu`; -1: none (default)"
    )
    parser.add_argument("--results", required=True, type=Path, metavar="DIR", help="the experiment's folder")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="folder of the synthetic images")
    arguments = parser.parse_args()

    import yaml

    from diagen.config import ConfigError, load_config
    from diagen.data.photo_list import with_counted_folds

    name = arguments.name or str(arguments.config)
    try:
        mapping = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
        config = with_counted_folds(load_config(mapping, name, check_files=False))
    except (ConfigError, yaml.YAMLError) as error:
        sys.exit(f"error: {error}")

    from diagen.preflight.checks import check

    report = check(
        config,
        name=name,
        planned=arguments.jobs.read_text(encoding="utf-8"),
        gpus=arguments.gpus,
        results=arguments.results,
        store=arguments.store,
    )
    print(report.text())
    sys.exit(2 if report.problems else 0)


if __name__ == "__main__":
    run(main)

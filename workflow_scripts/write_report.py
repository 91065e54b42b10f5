"""Write the report of an experiment: one HTML page that needs no network."""

import argparse
from pathlib import Path

from diagen.config.programs import WriteReportSettings
from diagen.files.atomic import atomic_path
from diagen.runtime.program import run


def main() -> None:
    """Read the results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results/<experiment>")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="store folder, with the images")
    parser.add_argument("--settings", type=WriteReportSettings.from_argument, required=True, help="as JSON")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".html")
    arguments = parser.parse_args()

    from diagen.report.assembly import report_page
    from diagen.report.labels import label
    from diagen.report.results import Results

    results = Results(arguments.results, arguments.store, arguments.settings)
    page = report_page(results)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    for _, row in results.primary.iterrows():
        print(f"{label(row['dataset'])}: {label(row['method'])} against {label(row['baseline'])}: {row['verdict']}")
    print(f"The report: {arguments.output}")


if __name__ == "__main__":
    run(main)

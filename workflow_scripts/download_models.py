"""Download the models that the configuration names by repository into models/, pinned to a commit and verified.

Models with a local path are only verified. All problems are reported together. The environment variables HF_ENDPOINT
and GITHUB_ENDPOINT select mirrors of the Hugging Face hub and of GitHub.
"""

import argparse
import os

from diagen.config.programs import DownloadModelsSettings
from diagen.errors import InputError
from diagen.runtime.program import run


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, type=DownloadModelsSettings.from_argument, help="as JSON")
    arguments = parser.parse_args()

    from diagen.files.checksums import checksum
    from diagen.models.downloads import GITHUB, fetch

    github = os.environ.get("GITHUB_ENDPOINT", GITHUB).rstrip("/")
    problems = []
    for name, model in arguments.settings.models.sources().items():
        print(f"models.{name}: {model.repository or model.path} ...", flush=True)
        try:
            location = fetch(name, model, github)
            print(f"models.{name}: {location}, sha256: {checksum(location)}", flush=True)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("some models are missing or damaged:\n" + "\n".join(f"  - {problem}" for problem in problems))


if __name__ == "__main__":
    run(main)

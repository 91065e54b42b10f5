"""The committed table of what each module reruns is that of the code."""

import subprocess
import sys
from pathlib import Path

from diagen.generation.fill import IMAGE_SOURCES
from diagen.runtime.fingerprint import computing_modules

PROGRAM = Path("workflow_scripts/describe_reruns.py")


def test_the_committed_table_is_up_to_date(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, PROGRAM, "--check"], check=False).returncode == 0, (
        f"docs/reruns.md is out of date: look at what you couple, then write it again with `python {PROGRAM}`"
    )
    result = subprocess.run(
        [sys.executable, PROGRAM, "--check", "--output", tmp_path / "other.md"], capture_output=True, text=True
    )
    assert result.returncode == 2 and "other.md: out of date" in result.stderr


def test_images_are_named_by_what_decides_their_pixels() -> None:
    """Users keep hundreds of GPU hours under these names: adding a module here renames all images."""
    assert set(computing_modules(*IMAGE_SOURCES)) == {
        "diagen.generation.img2img",
        "diagen.images",
        "diagen.models.diffusion",
        "diagen.models.pseudo_words",
        "diagen.schedules",
    }

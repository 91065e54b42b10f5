"""The example of the documentation runs as it is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[3]


def test_the_library_is_used_without_snakemake(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for split, count in {"train-val": 3, "test": 1}.items():
        for name in ("car", "house"):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (40, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    command = [sys.executable, ROOT / "docs/examples/library.py", "photos", ROOT / "demo/models", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    lines = re.findall(r"^(images/.*\.png): confidence [01]\.\d\d, weight ([01]\.\d\d)$", result.stdout, re.MULTILINE)
    assert len(lines) == 2 * 2 * 2 and sum(float(weight) for _, weight in lines) > 3.9
    assert all(Image.open(tmp_path / name).size == (64, 64) for name, _ in lines)

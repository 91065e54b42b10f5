"""A headless Chromium that opens the report's pages, where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def open_page(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The document after its scripts ran, and the errors on the browser's console."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    options = [f"--user-data-dir={profile}", "--virtual-time-budget=4000"]
    result = subprocess.run(
        [*command, *options, page.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return result.stdout, [line for line in console if re.search(r"error|violat|refused|failed", line, re.IGNORECASE)]

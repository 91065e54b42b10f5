"""Seeds of images, splits and draws: a stable hash of what identifies each, independent of process and order."""

import hashlib
import json


def stable_hash(*parts: str | int | float | bool | None) -> str:
    """SHA-256 (64 hexadecimal digits) of the parts, the same on every machine and Python version.

    Parts are encoded as a JSON list, so ("ab", "c") differs from ("a", "bc"), and 1 from "1".
    """
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, allow_nan=False).encode()).hexdigest()


def stable_seed(*parts: str | int | float | bool | None) -> int:
    """Seed in [0, 2**31), derived from the stable hash of the parts."""
    return int(stable_hash(*parts)[:16], 16) % 2**31

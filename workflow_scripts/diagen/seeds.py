"""Seeds that belong to things, not to processes: a stable hash of what identifies an image, a split or a draw."""

import hashlib
import json


def stable_hash(*parts: str | int | float | bool | None) -> str:
    """SHA-256 (64 hexadecimal digits) of the parts, the same on every machine and Python version.

    Parts are encoded as a JSON list, so that ("ab", "c") and ("a", "bc") differ, and 1 and "1" do.
    """
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, allow_nan=False).encode()).hexdigest()


def stable_seed(*parts: str | int | float | bool | None) -> int:
    """A seed in [0, 2**31) from the stable hash of the parts."""
    return int(stable_hash(*parts)[:16], 16) % 2**31

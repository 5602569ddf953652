"""How a loop's last training ended, as the store remembers it, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def in_words(attempt: Mapping[str, Any]) -> str:
    """Return in a sentence how an attempt ended."""
    version, says = attempt["version"], "; ".join(attempt["says"])
    match attempt["outcome"]:
        case "promoted":
            return f"version {version} passed the gate and serves"
        case "passed":
            return f"version {version} passed the gate and does not serve"
        case "refused":
            return f"the gate refused version {version}: {says}"
        case "cancelled":
            return "it was cancelled"
    return f"it failed: {says}"

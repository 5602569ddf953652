"""Patterns that taking salaries out of a text and reading them share."""

from __future__ import annotations

from typing import Final

COUNTED: Final = (
    r"(?!\+?\s*(?:employees|people|persons|staff|users|customers|clients|members|followers"
    r"|students|patients|miles|km|hours|calls|units|race|run)\b)"
)
"""Not before a noun that a number counts."""
YEAR: Final = r"(?:19|20)\d\d(?![\d,.]\d)"

"""The fields that a filter can ask about: their kinds, their operators, and how texts compare.

Texts compare without regard to case, Unicode form and white space. Databases fold only what
their locale knows, and SQLite only ASCII, so the folded form is made here, stored beside the
posting, and compared byte by byte: every database gives the same answer.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final, Literal

from jobsentinel.contract.categories import JOB_CATEGORIES
from jobsentinel.contract.text import replace_control_characters

Kind = Literal["text", "boolean", "date", "salary", "probability"]

_KINDS: Final[dict[str, Kind]] = {
    "id": "text",
    "title": "text",
    "company": "text",
    "location": "text",
    "employment_type": "text",
    "experience_level": "text",
    "source": "text",
    "url": "text",
    "category": "text",
    "remote": "boolean",
    "posted_at": "date",
    "salary": "salary",
    "stated_salary": "salary",
    "estimated_salary": "salary",
    "scam": "probability",
    "match": "probability",
}
FIELDS: Final[Mapping[str, Kind]] = MappingProxyType(_KINDS)
TEXT_FIELDS: Final = tuple(name for name, kind in _KINDS.items() if kind == "text")

_ORDERED: Final = ("=", "!=", "<", "<=", ">", ">=")
OPERATORS: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "text": ("=", "!=", "in", "contains"),
        "boolean": ("=", "!="),
        "date": _ORDERED,
        "salary": _ORDERED,
        "probability": _ORDERED,
    }
)
"""Beside ``is known`` and ``is unknown``, which every field has."""

_EXACT: Final = frozenset({"id", "url"})
"""An ampersand is no entity there: ``?a=1&copy=2``."""


def folded(field: str, text: str) -> str:
    """Return ``text`` as it is compared: NFKC, folded case, single spaces, entities resolved.

    A category may be named as people see it, and compares by its key.

    Example:
        >>> folded("location", " KÖLN  (Stra\N{LATIN SMALL LETTER SHARP S}e)")
        'köln (strasse)'
        >>> folded("category", "Software & IT")
        'software_it'
    """
    plain = _fold(text if field in _EXACT else html.unescape(text))
    return _CATEGORY_KEYS.get(plain, plain) if field == "category" else plain


def day_number(stated: str | None) -> int | None:
    """Return the day of an ISO 8601 date, or date and time, as days since the year 1.

    The day counts as it is stated, in whatever time zone. None is no date, or none that exists,
    such as 2026-02-30.
    """
    try:
        return None if stated is None else date.fromisoformat(stated[:10]).toordinal()
    except ValueError:
        return None


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKC", replace_control_characters(text))
    # Folding can leave NFKC, as with some Greek accents: hence once more.
    return " ".join(unicodedata.normalize("NFKC", plain.casefold()).split())


_CATEGORY_KEYS: Final = {_fold(name): key for key, name in JOB_CATEGORIES.items()}

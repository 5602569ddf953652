"""What ``score``, ``index``, ``rank`` and ``select`` read: postings, or texts with an id."""

from __future__ import annotations

from typing import TypeVar

from jobsentinel.contract.base import Message
from jobsentinel.contract.postings import Candidate, Posting, Sample

M = TypeVar("M", bound=Message)


def posting(row: object) -> Posting:
    """Return the posting in a row.

    Raises:
        InvalidInput: names the field.
    """
    return Posting.parse(row)


def candidate(row: object) -> Posting | Candidate:
    """Return a candidate; a row with a ``text`` is one as it is, else it is a posting."""
    return _texted(row, Candidate)


def sample(row: object) -> Posting | Sample:
    """Return a sample, as `candidate`."""
    return _texted(row, Sample)


def _texted(row: object, kind: type[M]) -> Posting | M:
    if isinstance(row, dict) and "text" in row:
        return kind.parse(row)
    return Posting.parse(row)


def first_line(item: Posting | Candidate | Sample) -> str:
    """Return what stands for an item in a table: its title, or the start of its text."""
    text = item.title or item.description if isinstance(item, Posting) else item.text
    return " ".join(text[:300].split())

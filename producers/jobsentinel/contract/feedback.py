"""What a relevance label says: how well a posting answers a query, as a grade or as an event.

A grade is somebody's judgement. An event is what a job seeker did with the posting; it is kept as
it came, and what it is worth to a training is decided there. Nothing stands for a posting that was
shown and left alone: it may not have fitted, or not have been noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

FeedbackEvent = Literal["applied", "saved", "dismissed", "rated"]

RELEVANCE: Final = "relevance"
RATED: Final = "rated"
"""The event whose grade stands in the label's value; the others have none."""
IMPLICIT_EVENTS: Final = frozenset({"applied", "saved"})
"""What shows that a posting fits without saying so, and only if it was noticed."""
MAX_SHOWN_RANK: Final = 1_000_000


def relevance_problems(
    *, query: str | None, event: str | None, value: object
) -> Iterator[tuple[str, str]]:
    """Yield field and problem for each part of a relevance label that does not fit the others."""
    if query is None:
        yield "query", f"is missing; a label of kind {RELEVANCE!r} belongs to a query"
    if event is not None and event != RATED and value is not None:
        yield "value", f"must be left out where event is {event!r}; only 'rated' has one"
    if event in {None, RATED} and value is None:
        yield "value", "is missing; give a number from 0 to 1, or the event that was seen"


def misplaced_fields(**fields: object) -> Iterator[tuple[str, str]]:
    """Yield name and problem for each field that only relevance labels have, if it is given."""
    for name, value in fields.items():
        if value is not None:
            yield name, f"is for labels of kind {RELEVANCE!r} only"

"""Taking postings out of the store: by their ids, by their day, or since nobody delivers them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from jobsentinel.contract.base import Identifier, Items, Message, fault
from jobsentinel.contract.results import Answer

MAX_IDS: Final = 10_000
MAX_DAYS: Final = 36_500


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day such as 2026-11-01") from None
    return text


IsoDay = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]


class RemovePostingsRequest(Message):
    """Remove stored postings; exactly one field says which.

    What was computed for them stays: results, labels and embeddings. A posting that is sent again
    is a new one.
    """

    ids: Annotated[Items[Identifier], Field(min_length=1, max_length=MAX_IDS)] | None = None
    posted_before: IsoDay | None = None
    """Those posted before this day, by what they say; those that say no day stay."""
    not_seen_for_days: Annotated[float, Field(ge=1, le=MAX_DAYS)] | None = None
    """Those that have not come for so many days, neither changed nor unchanged."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            problem = (
                f"posted_before or not_seen_for_days must be given, and only one (has {found})"
            )
            raise fault("ids", f"or {problem}")
        return self


class RemovePostingsResult(Answer):
    """How many postings were removed, and how many of the ids given were not there."""

    removed: int
    unknown: int = 0

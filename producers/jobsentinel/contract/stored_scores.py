"""Asking for the scores that are stored, in the order in which they came: a feed."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from jobsentinel.contract.base import Items, Message
from jobsentinel.contract.results import Answer, PostingScore

MAX_SCORES_A_PAGE: Final = 500


class ReadResultsRequest(Message):
    """Give the scores that came after the change number ``since``, oldest first."""

    since: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_SCORES_A_PAGE)] = MAX_SCORES_A_PAGE


class StoredScore(Answer):
    """A score in the store: what was predicted, by which job and when."""

    change_seq: int
    """Its number on the store's clock; a feed goes on behind it."""
    job_id: str
    created_at: str
    score: PostingScore


class ReadResultsResult(Answer):
    """A page of scores; ``next_since`` is what to ask for next, ``is_last`` that none is left."""

    scores: Items[StoredScore]
    next_since: int
    is_last: bool

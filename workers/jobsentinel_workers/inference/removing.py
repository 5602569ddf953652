"""Removing postings: the store forgets them, and every worker's index follows."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from jobsentinel.contract.base import Message
from jobsentinel.contract.removals import RemovePostingsRequest, RemovePostingsResult
from jobsentinel_workers.jobs.context import Answer
from jobsentinel_workers.store import postings


def remove(request: RemovePostingsRequest) -> Answer:
    """Return the answer that removes the postings asked for when the job's results are stored."""

    def store(connection: Connection) -> Message:
        if request.ids is not None:
            wanted = set(request.ids)
            removed = postings.delete(connection, wanted)
            return RemovePostingsResult(removed=removed, unknown=len(wanted) - removed)
        return RemovePostingsResult(removed=_by_age(connection, request))

    # Only an attempt that follows a committed one answers this: what that one removed is gone.
    return Answer(RemovePostingsResult(removed=0), store)


def _by_age(connection: Connection, request: RemovePostingsRequest) -> int:
    if request.posted_before is not None:
        return postings.delete_posted_before(connection, date.fromisoformat(request.posted_before))
    assert request.not_seen_for_days is not None  # the contract wants one of the three
    return postings.delete_not_seen_for(connection, request.not_seen_for_days)

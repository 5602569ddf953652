"""Pages of stored scores for producers that follow them."""

from __future__ import annotations

import logging

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.results import PostingScore
from jobsentinel.contract.stored_scores import ReadResultsRequest, ReadResultsResult, StoredScore
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.results import StoredResult, find

logger = logging.getLogger(__name__)


def score_page(database: Database, request: ReadResultsRequest) -> ReadResultsResult:
    """Return the scores that came after a change number, as many as were asked for."""
    with database.connect() as connection:
        found = find(connection, since=request.since, task="score", limit=request.limit)
    scores = tuple(score for score in map(_stored_score, found) if score is not None)
    return ReadResultsResult(
        scores=scores,
        next_since=found[-1].change_seq if found else request.since,
        is_last=len(found) < request.limit,
    )


def _stored_score(result: StoredResult) -> StoredScore | None:
    try:
        score = PostingScore.parse(result.payload)
    except InvalidInput as error:  # written by another version; `results export` still gives it
        logger.warning("score.unreadable job_id=%s %s", result.job_id, error)
        return None
    return StoredScore(
        change_seq=result.change_seq,
        job_id=result.job_id,
        created_at=result.created_at,
        score=score,
    )

"""One posting scored in this process, without a queue."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measure import Row, seconds
from jobsentinel import Posting

WARM_UP, SINGLES = 5, 60


def run(postings: Sequence[Posting]) -> list[Row]:
    """Return the median latency of the answers about a posting that was not seen before."""
    from jobsentinel_workers.multi_task import MultiTaskPredictor, create_job_matching_model

    predictor = MultiTaskPredictor(create_job_matching_model())
    for posting in postings[:WARM_UP]:
        predictor.predict(posting)
    taken = sorted(
        seconds(lambda p=posting: predictor.predict(p))  # type: ignore[misc]  # a default binds the loop's value
        for posting in postings[WARM_UP : WARM_UP + SINGLES]
    )
    return [Row("score one posting in process, p50", 1e3 * taken[len(taken) // 2], "ms", "< 20")]

"""One posting scored in this process, without a queue."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import NEEDS_AMX, Row, timed
from benchmarks.options import Options

WARM_UP, SINGLES = 5, 60


def run(options: Options) -> Iterator[Row]:
    """Yield the latency of the answers about a posting that was not seen before."""
    from jobsentinel_workers.multi_task import MultiTaskPredictor, create_job_matching_model

    predictor = MultiTaskPredictor(create_job_matching_model())
    postings = options.postings
    for posting in postings[:WARM_UP]:
        predictor.predict(posting)
    singles = timed(lambda n: predictor.predict(postings[WARM_UP + n]), options.size(SINGLES, 3))
    yield from singles.rows("score one posting in process", "< 20", NEEDS_AMX)

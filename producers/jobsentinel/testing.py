"""For tests of your own: a producer that needs neither Redis nor workers.

With the workers installed, the pytest fixtures ``jobsentinel_fleet`` and ``jobsentinel_producer``
give a real fleet, private to the test run; ``jobsentinel_memory`` gives a `MemoryProducer`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jobsentinel.contract.base import Message
from jobsentinel.contract.postings import Posting
from jobsentinel.contract.results import PostingScore, ScoreResult
from jobsentinel.contract.stored_scores import ReadResultsRequest, StoredScore
from jobsentinel.dispatch import Dispatch
from jobsentinel.memory_answers import made_up_answers, made_up_score
from jobsentinel.memory_ledger import MemoryLedger
from jobsentinel.producer import Producer
from jobsentinel.settings import Settings
from jobsentinel.trainings import Trainings

__all__ = ["MemoryProducer", "made_up_score"]


class MemoryProducer(Producer):
    """A `Producer` whose jobs are answered at once, in memory, by functions.

    It is the real producer over another ledger: it checks, cuts and encodes as that does, knows a
    repeated request by its job id, and gives the same handles, streams and errors.

    Args:
        score: makes the score of a posting; by default one is made up from its text.
        answers: by task, what makes an answer from a request, for any task: ``rerank``, say, or
            ``fine_tune``. What it raises fails the job.

    Example:
        >>> producer = MemoryProducer()
        >>> producer.score([{"id": "a", "title": "Nurse"}]).result()[0].posting_id
        'a'
    """

    def __init__(
        self,
        *,
        score: Callable[[Posting], PostingScore] = made_up_score,
        answers: Mapping[str, Callable[[Any], Message]] | None = None,
    ) -> None:
        memory = MemoryLedger({**made_up_answers(score), **(answers or {})})
        # Nothing is written there: no job of this producer ever has to wait.
        folder = Path(tempfile.gettempdir()) / "jobsentinel-memory-producer"
        settings = Settings.load(
            redis_url="redis://memory", data_dir=folder, when_away="raise", when_full="raise"
        ).model_copy(update={"keep_until_done": False})
        self._memory = memory
        self.ledger = memory  # type: ignore[assignment]  # it has what producers and handles ask
        self._dispatch = Dispatch(self.ledger, settings)
        self._trainings = Trainings(self._dispatch)

    @property
    def requests(self) -> list[tuple[str, Message]]:
        """The task and the request of each job that was answered, in order."""
        return [(task, request) for _, task, request, _ in self._memory.worked_on]

    def close(self) -> None:
        """Do nothing: there is nothing to be closed."""

    def stream_results(
        self, since: int = 0, *, follow: bool = False, timeout_s: float | None = None
    ) -> Iterator[StoredScore]:
        """Yield the scores so far; ``follow`` ends with them, for nobody else adds any."""
        del follow, timeout_s
        request = ReadResultsRequest.parse({"since": since})
        return (each for each in self._stored() if each.change_seq > request.since)

    def _stored(self) -> Iterator[StoredScore]:
        scored = (
            (job_id, score)
            for job_id, _, _, answer in list(self._memory.worked_on)
            if isinstance(answer, ScoreResult)
            for score in answer.scores
        )
        for number, (job_id, score) in enumerate(scored, start=1):
            yield StoredScore(
                change_seq=number,
                job_id=job_id,
                created_at="1970-01-01T00:00:00+00:00",
                score=score,
            )

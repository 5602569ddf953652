"""What somebody is to label next: what is in their hands already, then what a strategy chooses.

What is handed out is reserved, so that two people do not label the same; the reservation tells how
each posting was chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from jobsentinel_workers.active_learning import ActiveLearningManager
from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.labelling.stored_answers import predictions_for
from jobsentinel_workers.labelling.stored_pool import stored_pool
from jobsentinel_workers.labelling.tasks import LabellingTask, Prediction, shown_text
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.store import Database, postings, reservations
from jobsentinel_workers.store.postings import StoredPosting
from jobsentinel_workers.store.reservations import Reservation

SITTING_S: Final = 3_600.0
"""For so long postings are kept for somebody who labels in a terminal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks to label.

    Attributes:
        model: whose stored view of postings counts.
        where: a filter of postings, as `rank` takes it.
        reserve_for_s: how long nobody else gets what is handed out.
        resume: hand out again, first, what the annotator holds already; else it is left alone.
    """

    question: Question
    annotator: str
    count: int
    strategy: str = "margin"
    model: str = SCORING
    where: str | None = None
    seed: int = 0
    reserve_for_s: float = SITTING_S
    resume: bool = True


@dataclass(frozen=True, slots=True)
class HandedOut:
    """Postings in the order in which to label.

    Attributes:
        held: their reservations, by posting id.
        resumed: how many were in the annotator's hands before.
        left_out: how many postings cannot be chosen, by the reason.
    """

    tasks: list[LabellingTask]
    held: Mapping[str, Reservation]
    resumed: int
    left_out: Mapping[str, int]


def hand_out(database: Database, wanted: Wanted) -> HandedOut:
    """Return up to ``wanted.count`` postings to label, and reserve those that are new.

    Raises:
        InvalidInput: the strategy, the filter or the model's stored answers do not serve.
        ModelUnavailable: the strategy asks more than is stored.
    """
    before = _held(database, wanted)
    first = before[: wanted.count] if wanted.resume else []
    left_out: Mapping[str, int] = {}
    known = {each.posting_id for each in before}
    if missing := wanted.count - len(first):
        left_out = _select(database, wanted, missing, known)
    new = [each for each in _held(database, wanted) if each.posting_id not in known]
    held = first + new
    return HandedOut(
        tasks=_as_tasks(database, wanted, held),
        held={each.posting_id: each for each in held},
        resumed=len(first),
        left_out=left_out,
    )


def _held(database: Database, wanted: Wanted) -> list[Reservation]:
    with database.connect() as connection:
        return reservations.find(connection, annotator=wanted.annotator, kind=wanted.question.kind)


def _select(
    database: Database, wanted: Wanted, count: int, without: Collection[str]
) -> Mapping[str, int]:
    """Choose and reserve ``count`` postings more; return what could not be chosen, and why."""
    kind = wanted.question.kind
    pool = stored_pool(database, kind, model=wanted.model, where=wanted.where)
    manager = ActiveLearningManager(
        wanted.strategy,
        store=database,
        kind=kind,
        annotator=wanted.annotator,
        seed=wanted.seed,
        reserve_for_s=wanted.reserve_for_s,
    )
    manager.select_samples([s for s in pool.samples if s.id not in without], count)
    return pool.left_out


def _as_tasks(database: Database, wanted: Wanted, held: list[Reservation]) -> list[LabellingTask]:
    ids = [each.posting_id for each in held]
    with database.connect() as connection:
        stored = postings.get(connection, ids)
        made = predictions_for(connection, ids, wanted.question, wanted.model)
    return [
        _task(position, each, stored[each.posting_id], made.get(each.posting_id))
        for position, each in enumerate(held, start=1)
        if each.posting_id in stored
    ]


def _task(
    position: int, held: Reservation, posting: StoredPosting, prediction: Prediction | None
) -> LabellingTask:
    return LabellingTask(
        posting_id=posting.id,
        title=posting.title,
        text=shown_text(posting),
        position=position,
        prediction=prediction,
        score=held.score,
        reason=held.reason,
        strategy=held.strategy,
        chosen_by=held.chosen_by,
        model_version=held.model_version,
    )

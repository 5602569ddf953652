"""One person labelling one batch: each answer is stored as it is given, and can be taken back.

Nothing is kept in memory that the store does not have: whoever is killed loses the posting on the
screen, which stays reserved, and no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jobsentinel.contract.base import dump
from jobsentinel.contract.postings import Label
from jobsentinel_workers.audit import AuditLog
from jobsentinel_workers.labelling.handing_out import SITTING_S, HandedOut
from jobsentinel_workers.labelling.questions import Question, Value
from jobsentinel_workers.labelling.storing import store_labels, withdraw_label
from jobsentinel_workers.labelling.tasks import LabellingTask, Prediction
from jobsentinel_workers.store import Database, reservations
from jobsentinel_workers.store.timestamps import utc_now, utc_text

SOURCE = "terminal"

_RANDOM = "random"
_NEAR = 0.1
"""A number agrees with one that a model gave without an interval when it is so near: as a share of
it, or on the scale from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Given:
    """What became of one posting: its label as a row of the store, or None for skipped."""

    task: LabellingTask
    row: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How a sitting goes.

    Attributes:
        compared: labels of postings of which the model has said something.
        agreed: of these, where it said the same; ``random_`` both for those drawn at random, on
            which alone agreement tells how right the model is.
    """

    labelled: int
    skipped: int
    compared: int
    agreed: int
    random_compared: int
    random_agreed: int
    seconds: float


@dataclass(slots=True)
class Sitting:
    """A batch in the hands of ``annotator``."""

    database: Database
    audit: AuditLog
    question: Question
    annotator: str
    handed_out: HandedOut
    given: list[Given] = field(default_factory=list)

    @property
    def tasks(self) -> Sequence[LabellingTask]:
        """All postings of the batch."""
        return self.handed_out.tasks

    @property
    def current(self) -> LabellingTask | None:
        """The posting to label, or None at the end."""
        place = len(self.given)
        return self.tasks[place] if place < len(self.tasks) else None

    def answer(self, task: LabellingTask, value: Value, *, seconds: float) -> None:
        """Store a label for the current posting and go on.

        Raises:
            InvalidInput: the value is none of the question's.
            StoreUnavailable: the store does not take it; the posting stays the current one.
        """
        label = Label.parse(
            {
                "posting_id": task.posting_id,
                "kind": self.question.kind,
                "value": value,
                "annotator": self.annotator,
                "seconds_spent": seconds,
                **task.origin,
            }
        )
        row = {**dump(label), "created_at": utc_now(), "source": SOURCE}
        subject = f"labels by {self.annotator}"
        store_labels(self.database, self.audit, [row], subject=subject)
        self.given.append(Given(task, row))

    def skip(self, task: LabellingTask) -> None:
        """Leave the current posting to others and go on."""
        with self.database.begin() as connection:
            reservations.release(
                connection,
                annotator=self.annotator,
                kind=self.question.kind,
                posting_ids=[task.posting_id],
            )
        self.given.append(Given(task, None))

    def undo(self) -> bool:
        """Go back to the posting before, without its label; False when there is none to go to.

        A skipped one that somebody else has been given meanwhile stays skipped.
        """
        if not self.given:
            return False
        last = self.given[-1]
        if last.row is not None:
            withdraw_label(self.database, self.audit, last.row)
        if not self._take_again(last.task) and last.row is None:
            return False
        self.given.pop()
        return True

    def tally(self) -> Tally:
        """Return how it goes so far."""
        done = [(each.task, each.row) for each in self.given if each.row is not None]
        verdicts = [
            (task.chosen_by == _RANDOM, agrees(task.prediction, row["value"], self.question))
            for task, row in done
            if task.prediction is not None
        ]
        drawn = [verdict for is_random, verdict in verdicts if is_random]
        return Tally(
            labelled=len(done),
            skipped=len(self.given) - len(done),
            compared=len(verdicts),
            agreed=sum(verdict for _, verdict in verdicts),
            random_compared=len(drawn),
            random_agreed=sum(drawn),
            seconds=sum(row["seconds_spent"] for _, row in done),
        )

    def _take_again(self, task: LabellingTask) -> bool:
        held = asdict(self.handed_out.held[task.posting_id])
        annotator, until = held.pop("annotator"), held.pop("reserved_until")
        soon = utc_text(datetime.now(UTC) + timedelta(seconds=SITTING_S))
        with self.database.begin() as connection:
            granted = reservations.reserve(
                connection, [held], annotator=annotator, until=max(until, soon)
            )
        return bool(granted)


def agrees(prediction: Prediction | None, value: Value, question: Question) -> bool:
    """Return whether a model said what a person says: the same class, or a number close by.

    A number agrees that lies in the model's interval, or, where it gave none, within a tenth.
    """
    if prediction is None:
        return False
    if question.form != "number":
        return prediction.value == value
    number, told = float(value), float(prediction.value)
    if prediction.low is not None and prediction.high is not None:
        return prediction.low <= number <= prediction.high
    limits = question.limits
    scale = 1.0 if limits is not None and limits[1] == 1.0 else abs(told)
    return abs(number - told) <= _NEAR * scale

"""Accuracy on postings that were drawn evenly for labelling: the only unbiased one there is.

A label counts against what a model said before it learnt that label ("test, then train": Gama,
Sebastião and Rodrigues, 2013, https://doi.org/10.1007/s10994-012-5320-9), so it judges fairly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from jobsentinel_workers.active_learning.accuracy_drop import Tally
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.loop.stored_answers import StoredAnswer, stored_answer
from jobsentinel_workers.store.checks import chunks
from jobsentinel_workers.store.schema import labels, results

MAX_RANDOM: Final = 500
"""The newest random labels that are looked at."""


@dataclass(frozen=True, slots=True)
class RandomSlice:
    """The random labels of one kind, and what versions of a model are to be held against.

    Attributes:
        kind: of the labels.
        model: whose stored answers count.
        learnt: of each version that may answer, the change number up to which it learnt labels.
    """

    kind: str
    model: str
    learnt: Mapping[int, int]

    def tally(
        self, connection: Connection, *, after: int = 0, upto: int | None = None, limit: int
    ) -> Tally:
        """Return how many of the newest random labels the newest fair answers had right.

        Args:
            connection: to the store.
            after: only labels that came after this change number.
            upto: and not after this one.
            limit: labels at most, of those that have an answer.
        """
        found = self._labels(connection, after, upto)
        answers = self._answers(connection, {label.posting_id: label for label in found})
        agreed = [
            agrees
            for label in found
            if (answer := answers.get(label.posting_id)) is not None
            and (agrees := answer.agrees(label.value)) is not None
        ][:limit]
        return Tally(sum(agreed), len(agreed))

    def _labels(self, connection: Connection, after: int, upto: int | None) -> list[Any]:
        """Return the newest label of each posting that was drawn, newest first."""
        chosen = select(labels.c.posting_id, labels.c.value, labels.c.change_seq).where(
            labels.c.kind == self.kind,
            labels.c.chosen_by == str(QueryStrategy.RANDOM),
            labels.c.query.is_(None),
            labels.c.change_seq > after,
        )
        if upto is not None:
            chosen = chosen.where(labels.c.change_seq <= upto)
        newest = chosen.order_by(labels.c.change_seq.desc()).limit(MAX_RANDOM)
        found: dict[str, Any] = {}
        for row in connection.execute(newest):
            found.setdefault(row.posting_id, row)
        return list(found.values())

    def _answers(
        self, connection: Connection, wanted: Mapping[str, Any]
    ) -> dict[str, StoredAnswer]:
        """Return each posting's newest answer by a version that had not learnt its label."""
        answers: dict[str, StoredAnswer] = {}
        for chunk in chunks(list(wanted)):
            chosen = select(results.c.item_id, results.c.payload).where(
                results.c.task == "score", results.c.item_id.in_(chunk)
            )
            for row in connection.execute(chosen.order_by(results.c.change_seq)):
                answer = stored_answer(row.payload, self.kind, self.model)
                if answer is not None and self._is_fair(answer, wanted[row.item_id]):
                    answers[row.item_id] = answer
        return answers

    def _is_fair(self, answer: StoredAnswer, label: Any) -> bool:
        seq: int = label.change_seq
        return answer.version in self.learnt and self.learnt[answer.version] < seq

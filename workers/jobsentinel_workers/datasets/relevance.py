"""Feedback on searches as rows that a reranker learns from.

A judgement or a rating is its score. A dismissal scores 0. An application or a save scores 1, and
was given only because somebody noticed the posting, which happens less often the further down it
stands. So it counts 1 / p(noticed) times, with p(noticed) = 1 / rank, and at most
`MAX_IMPLICIT_WEIGHT` times: inverse propensity weighting under the position-based model (Joachims,
Swaminathan and Schnabel 2017, "Unbiased learning-to-rank with biased feedback"). Without the rank
it counts once, which is the least. A posting that was shown and left alone is in no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, or_, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import IMPLICIT_EVENTS, RELEVANCE
from jobsentinel.contract.limits import MAX_TEXT_CHARS
from jobsentinel.contract.text import normalise
from jobsentinel.contract.training_rows import RerankerRow
from jobsentinel_workers.store.schema import labels, postings

MIN_QUERIES: Final = 2
"""One to learn from, another to see whether that helps a query that was not learnt from."""
MAX_IMPLICIT_WEIGHT: Final = 10.0
"""An event far down would else outweigh all others; ten places are about what is looked at.
Clipping trades a little bias for less variance (Swaminathan and Joachims 2015, "Counterfactual risk
minimization")."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said or did about a posting that a query had brought."""

    query: str
    text: str
    value: float | None
    event: str | None
    shown_rank: int | None

    @property
    def score(self) -> float:
        """How relevant the posting is, from 0 to 1."""
        return float(self.event in IMPLICIT_EVENTS) if self.value is None else self.value

    @property
    def weight(self) -> float | None:
        """How many rows it counts as; None is one."""
        if self.event not in IMPLICIT_EVENTS or self.shown_rank in {None, 1}:
            return None
        return min(float(self.shown_rank or 1), MAX_IMPLICIT_WEIGHT)

    def row(self) -> RerankerRow:
        """Return what is learnt from it."""
        return RerankerRow(query=self.query, text=self.text, score=self.score, weight=self.weight)


def relevance_rows(connection: Connection, since: int | None) -> list[RerankerRow]:
    """Return a row for each query and text, with the newest feedback on it, oldest first.

    Args:
        connection: that reads.
        since: only feedback after this change number, or whose posting came or changed after it.

    Raises:
        InvalidInput: where all feedback is asked for, and it cannot teach anything.
    """
    # Wordings that differ in case or blanks are one to a model, as everywhere.
    newest = {
        tuple(normalise(text).casefold() for text in (each.query, each.text)): each
        for each in _feedback(connection, since)
    }
    rows = [each.row() for each in newest.values()]
    if since is None:
        check_teaches(rows)  # new feedback may be all alike: a training sees older beside it
    return rows


def check_teaches(rows: Sequence[RerankerRow]) -> None:
    """Look whether feedback has several queries and grades; its number is checked elsewhere.

    Raises:
        InvalidInput: it has not.
    """
    if not rows:
        return
    queries = {normalise(row.query).casefold() for row in rows}
    if len(queries) < MIN_QUERIES:
        problem = f"the stored feedback belongs to {len(queries)} query; a reranker needs"
        raise InvalidInput("dataset", f"{problem} {MIN_QUERIES} or more, of which one only judges")
    if len({row.score for row in rows}) < 2:
        problem = f"all stored feedback says {rows[0].score:g}; a reranker needs relevant postings"
        raise InvalidInput(
            "dataset",
            f"{problem} (applied, saved, rated high) and others (dismissed, rated low) to tell "
            "them apart",
        )


def _feedback(connection: Connection, since: int | None) -> Iterator[Feedback]:
    said = labels.c.query, postings.c.text, labels.c.value, labels.c.event, labels.c.shown_rank
    chosen = (
        select(*said)
        .join(postings, postings.c.id == labels.c.posting_id)
        .where(labels.c.kind == RELEVANCE, labels.c.query.is_not(None))
        .order_by(labels.c.change_seq)
    )
    if since is not None:
        # Feedback may come before its posting; a training up to `since` has not seen it then.
        chosen = chosen.where(or_(labels.c.change_seq > since, postings.c.change_seq > since))
    for query, text, *rest in connection.execute(chosen):
        yield Feedback(query, text[:MAX_TEXT_CHARS], *rest)

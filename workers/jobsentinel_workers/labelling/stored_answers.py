"""Stored labels as tasks: to move them to another tool, or to have them looked at again there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.labelling.tasks import (
    Answer,
    LabellingTask,
    Prediction,
    prediction_in,
    shown_text,
)
from jobsentinel_workers.store import labels, postings, results
from jobsentinel_workers.store.labels import Label


def every_label(connection: Connection, kind: str) -> list[Label]:
    """Return all labels of ``kind`` in force that belong to no query, oldest first."""
    found: list[Label] = []
    since = 0
    while page := labels.find(connection, kind=kind, since=since):
        found += [label for label in page if label.query is None]
        since = page[-1].change_seq
    return found


def predictions_for(
    connection: Connection, posting_ids: Iterable[str], question: Question, model: str
) -> dict[str, Prediction]:
    """Return what ``model`` said last of each posting, as far as it is stored."""
    found: dict[str, Prediction] = {}
    for posting_id, result in results.latest(connection, posting_ids, "score").items():
        made = prediction_in(result.payload, question, model)
        if made is not None:
            found[posting_id] = made
    return found


def labelled_tasks(
    connection: Connection, question: Question, model: str
) -> tuple[list[LabellingTask], int]:
    """Return a task for each labelled posting and way of choosing it, and how many labels lack it.

    Labels whose posting is not stored have no text to show, and are those that lack it.
    """
    given = every_label(connection, question.kind)
    stored = postings.get(connection, {label.posting_id for label in given})
    made = predictions_for(connection, stored, question, model)
    groups: dict[tuple[str | None, ...], list[Label]] = {}
    for label in given:
        if label.posting_id in stored:
            origin = (label.strategy, label.chosen_by, label.model_version)
            groups.setdefault((label.posting_id, *origin), []).append(label)
    tasks = [
        _task(position, group, stored[group[0].posting_id], made.get(group[0].posting_id))
        for position, group in enumerate(groups.values(), start=1)
    ]
    return tasks, len(given) - sum(len(group) for group in groups.values())


def _task(
    position: int,
    group: Sequence[Label],
    posting: postings.StoredPosting,
    prediction: Prediction | None,
) -> LabellingTask:
    first = group[0]
    return LabellingTask(
        posting_id=posting.id,
        title=posting.title,
        text=shown_text(posting),
        position=position,
        prediction=prediction,
        strategy=first.strategy,
        chosen_by=first.chosen_by,
        model_version=first.model_version,
        answers=tuple(
            Answer(label.value, label.annotator, label.created_at, label.seconds_spent)
            for label in group
        ),
    )

"""Stored labels that are worth a second look: improbable ones, and those that contradict.

Improbable is what confident learning finds by probabilities that no label had a part in itself.
Contradictions are postings to which annotators gave different answers; no model is asked there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, func, select

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.labelling.confident_learning import find_suspicious
from jobsentinel_workers.labelling.out_of_sample import FOLDS, cross_validated
from jobsentinel_workers.labelling.questions import Question, Value
from jobsentinel_workers.labelling.stored_answers import every_label
from jobsentinel_workers.store import embeddings, postings
from jobsentinel_workers.store.checks import chunks
from jobsentinel_workers.store.labels import Label
from jobsentinel_workers.store.postings import StoredPosting
from jobsentinel_workers.store.schema import embeddings as embeddings_table
from jobsentinel_workers.store.stored_vectors import Vector

_NUMBER_GAP = 0.1
"""Numbers of two annotators contradict each other when they are farther apart than this, as a
share of the greater one, or on the scale from 0 to 1."""


@dataclass(frozen=True, slots=True)
class SuspiciousLabel:
    """A label that is probably wrong.

    Attributes:
        value: the label, by ``annotators``.
        likeliest: what the cross-validated model holds the posting for.
        margin: from 0 to 1, lowest first in lists: how far the label is behind the likeliest.
        label_probability: of the label, and ``likeliest_probability`` of the other.
    """

    posting_id: str
    title: str
    value: Value
    annotators: tuple[str, ...]
    likeliest: Value
    margin: float
    label_probability: float
    likeliest_probability: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A posting to which annotators gave different answers."""

    posting_id: str
    title: str
    values: Mapping[str, Value]
    """By annotator."""


@dataclass(frozen=True, slots=True)
class Review:
    """What there is to look at again.

    Attributes:
        judged: how many labelled postings a model was asked about.
        wrong_share: the share of wrong labels that the joint estimates; None where none is judged.
        not_judged: how many postings were not, by the reason.
    """

    suspicious: tuple[SuspiciousLabel, ...]
    contradictions: tuple[Contradiction, ...]
    judged: int
    wrong_share: float | None
    not_judged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A labelled posting with the value that most annotators gave, of equals the newest."""

    posting: StoredPosting
    value: Value
    annotators: tuple[str, ...]
    vector: Vector


def review_labels(connection: Connection, question: Question, *, seed: int = 0) -> Review:
    """Return the labels of a kind that are worth a second look, the worst first.

    Classes with fewer than five labelled postings are not judged: some fold would not know them.
    Numbers are only compared between annotators.

    Raises:
        InvalidInput: there are no labels of the kind.
        CorruptVector: a stored embedding is damaged.
    """
    by_posting: dict[str, list[Label]] = {}
    for label in every_label(connection, question.kind):
        by_posting.setdefault(label.posting_id, []).append(label)
    if not by_posting:
        raise InvalidInput("kind", f"{question.kind!r} has no labels yet")
    stored = postings.get(connection, by_posting)
    against = _contradictions(by_posting, stored, question)
    if question.form == "number":
        return Review((), against, 0, None, {"with a number, which has no class": len(by_posting)})
    left_out: Counter[str] = Counter()
    items = _items(connection, by_posting, stored, left_out)
    judged = _of_common_classes(items, left_out)
    if not judged:
        return Review((), against, 0, None, left_out)
    found, share = _judge(judged, seed)
    return Review(found, against, len(judged), share, left_out)


def _contradictions(
    by_posting: Mapping[str, Sequence[Label]],
    stored: Mapping[str, StoredPosting],
    question: Question,
) -> tuple[Contradiction, ...]:
    return tuple(
        Contradiction(
            posting_id,
            stored[posting_id].title if posting_id in stored else "",
            {label.annotator: label.value for label in group},
        )
        for posting_id, group in by_posting.items()
        if _differ([label.value for label in group], question)
    )


def _differ(values: Sequence[Value], question: Question) -> bool:
    if question.form != "number":
        return len(set(values)) > 1
    numbers = [float(value) for value in values]
    least, greatest = min(numbers), max(numbers)
    scale = 1.0 if question.kind == "match" else max(abs(least), abs(greatest))
    return greatest - least > _NUMBER_GAP * scale


def _items(
    connection: Connection,
    by_posting: Mapping[str, Sequence[Label]],
    stored: Mapping[str, StoredPosting],
    left_out: Counter[str],
) -> list[_Labelled]:
    hashes = {posting.content_hash for posting in stored.values()}
    encoder_id = _widest_encoder(connection, hashes)
    vectors = embeddings.get_many(connection, encoder_id, hashes) if encoder_id else {}
    found = []
    for posting_id, group in sorted(by_posting.items()):
        posting = stored.get(posting_id)
        if posting is None:
            left_out["that is not stored"] += 1
        elif posting.content_hash not in vectors:
            left_out["without an embedding; `jobsentinel index` makes it"] += 1
        else:
            value, names = _consensus(group)
            found.append(_Labelled(posting, value, names, vectors[posting.content_hash]))
    return found


def _widest_encoder(connection: Connection, hashes: set[str]) -> str | None:
    """Return the encoder that has encoded most of these texts, of equals the first by name."""
    counts: Counter[str] = Counter()
    table = embeddings_table
    for chunk in chunks(sorted(hashes)):
        rows = connection.execute(
            select(table.c.encoder_id, func.count())
            .where(table.c.content_hash.in_(chunk))
            .group_by(table.c.encoder_id)
        )
        for name, number in rows:
            counts[name] += number
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def _consensus(group: Sequence[Label]) -> tuple[Value, tuple[str, ...]]:
    counts = Counter(label.value for label in group)
    newest = {label.value: label.created_at for label in sorted(group, key=lambda x: x.created_at)}
    value: Value = max(counts, key=lambda each: (counts[each], newest[each]))
    return value, tuple(sorted(label.annotator for label in group if label.value == value))


def _of_common_classes(items: Sequence[_Labelled], left_out: Counter[str]) -> list[_Labelled]:
    """Return the items of classes that each fold's model sees; of fewer than two there are none."""
    # Copies of a text stay in one fold and count for the class of the first, as they are dealt out.
    texts = {item.posting.content_hash: item.value for item in reversed(items)}
    common = {value for value, count in Counter(texts.values()).items() if count >= FOLDS}
    kept = [item for item in items if item.value in common] if len(common) > 1 else []
    if len(items) > len(kept):
        reason = f"of classes with fewer than {FOLDS} different texts"
        left_out[reason if len(common) > 1 else "of a single class that is common"] += len(
            items
        ) - len(kept)
    return kept


def _judge(items: Sequence[_Labelled], seed: int) -> tuple[tuple[SuspiciousLabel, ...], float]:
    classes = sorted({item.value for item in items}, key=str)
    given = np.array([classes.index(item.value) for item in items], dtype=np.intp)
    p = cross_validated(
        np.stack([item.vector for item in items]).astype(np.float64),
        given,
        groups=[item.posting.content_hash for item in items],
        seed=seed,
    )
    found = find_suspicious(given, p)
    listed = tuple(
        SuspiciousLabel(
            posting_id=items[row].posting.id,
            title=items[row].posting.title,
            value=items[row].value,
            annotators=items[row].annotators,
            likeliest=classes[found.likeliest[row]],
            margin=float(found.margins[row]),
            label_probability=float(found.self_confidences[row]),
            likeliest_probability=float(p[row, found.likeliest[row]]),
        )
        for row in found.suspicious
    )
    return listed, found.wrong_share

"""Stored postings that could be labelled, with what is stored about them: nothing is computed.

They are read in pages of one snapshot of the store, so that what stays in memory is the samples
and one page. What cannot be a sample is counted, never just left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.feedback import RELEVANCE
from jobsentinel.contract.filters import Filter, parse_filter
from jobsentinel_workers.active_learning import Sample
from jobsentinel_workers.active_learning.checks import check_count
from jobsentinel_workers.labelling.stored_scores import ScoreReader, StoredScore
from jobsentinel_workers.labelling.unlabelled_postings import (
    count_labelled,
    pages,
    scores_of,
    widest_encoder,
)
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.store import Database, embeddings
from jobsentinel_workers.store.checks import checked_id
from jobsentinel_workers.store.stored_vectors import Vector, expect_dimensions

MAX_SAMPLES: Final = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class StoredPool:
    """Candidates for labelling, and how many postings are none and why.

    Attributes:
        samples: newest posting first, each with ``encoder_id`` and ``model_version`` among its
            metadata.
        labelled: stored postings that have a label of the kind.
        without_score: unlabelled ones of which no stored score of the model tells all that is
            needed.
        without_embedding: scored ones whose embedding is missing or another encoder's.
        other_classes: scored ones by a version of the model that knew other classes.
        older_scores: samples whose score is not by ``model_version``.
        model_version: of the newest score, as ``name@version``; None without samples.
        encoder_id: whose embeddings the samples have; None where no embedding is stored.
    """

    samples: list[Sample]
    labelled: int
    without_score: int
    without_embedding: int
    other_classes: int
    older_scores: int
    model_version: str | None
    encoder_id: str | None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def left_out(self) -> dict[str, int]:
        """How many unlabelled postings are no samples, by the reason in words."""
        reasons = {
            "without a stored score of the model": self.without_score,
            "without an embedding of the same encoder": self.without_embedding,
            "scored for other classes": self.other_classes,
        }
        return {reason: count for reason, count in reasons.items() if count}


def stored_pool(
    database: Database,
    kind: str,
    *,
    model: str = SCORING,
    where: Filter | str | None = None,
    limit: int = MAX_SAMPLES,
    encoder_id: str | None = None,
) -> StoredPool:
    """Return stored postings that have no label of ``kind``, ready for a query strategy.

    Args:
        database: the store.
        kind: of label. By the scoring model, ``category`` and ``scam`` come with probabilities,
            ``salary`` and ``match`` with values.
        model: whose newest stored score counts: the scoring model, or one of the user's own.
        where: a filter of postings, such as ``remote = true``; the others are not counted.
        limit: how many samples at most. Reading ends with them, and so does the counting of what
            is left out.
        encoder_id: whose embeddings the samples get; by default the encoder that has encoded most
            stored postings, of equals the one that the scoring model reads.

    Raises:
        InvalidInput: the filter cannot be read, the limit is below 1, or the kind is ``relevance``.
        CorruptVector: a stored embedding is damaged, or not as wide as the others.
    """
    if kind == RELEVANCE:
        raise InvalidInput("kind", f"{kind!r} belongs to a query; a posting alone cannot have it")
    reader = ScoreReader(checked_id("kind", kind), checked_id("model", model))
    chosen, most = (
        parse_filter(where) if isinstance(where, str) else where,
        check_count(limit, "limit"),
    )
    with database.connect() as connection:
        gathering = _Gathering(connection, reader, encoder_id or widest_encoder(connection))
        for page in pages(connection, kind, chosen):
            gathering.take(page, most)
            if len(gathering.found) == most:
                break
        return gathering.pool(count_labelled(connection, kind, chosen))


@dataclass(slots=True, eq=False)
class _Gathering:
    """Samples as they are found, and counts of what is none."""

    connection: Connection
    reader: ScoreReader
    encoder_id: str | None
    found: list[tuple[Sample, StoredScore]] = field(default_factory=list)
    without_score: int = 0
    without_embedding: int = 0
    width: int | None = None
    origins: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, page: Any, limit: int) -> None:
        """Take the postings of a page until there are ``limit`` samples."""
        scores = scores_of(self.connection, [row.id for row in page], self.reader)
        vectors = self._vectors([row.content_hash for row in page if row.id in scores])
        for row in page:
            if len(self.found) == limit:
                return
            self._take(row, scores.get(row.id), vectors.get(row.content_hash))

    def pool(self, labelled: int) -> StoredPool:
        """Return the samples whose classes are those of the newest score, and all counts."""
        newest = max((score for _, score in self.found), key=_number, default=None)
        kept = [
            (sample, score)
            for sample, score in self.found
            if newest is not None and score.has_classes_of(newest)
        ]
        version = None if newest is None else newest.model_version
        return StoredPool(
            samples=[sample for sample, _ in kept],
            labelled=labelled,
            without_score=self.without_score,
            without_embedding=self.without_embedding,
            other_classes=len(self.found) - len(kept),
            older_scores=sum(score.model_version != version for _, score in kept),
            model_version=version,
            encoder_id=self.encoder_id,
        )

    def _take(self, row: Any, score: StoredScore | None, vector: Vector | None) -> None:
        if score is None:
            self.without_score += 1
        elif vector is None:
            self.without_embedding += 1
        else:
            origin = self._origin(score.model_version)
            made = Sample(row.id, row.text, score.probabilities, vector, origin, score.value)
            self.found.append((made, score))

    def _vectors(self, hashes: list[str]) -> dict[str, Vector]:
        if self.encoder_id is None:
            return {}
        found = embeddings.get_many(self.connection, self.encoder_id, set(hashes))
        if found:
            self.width = self.width or len(next(iter(found.values())))
            expect_dimensions(found, self.width, self.encoder_id)
        return found

    def _origin(self, model_version: str) -> Mapping[str, Any]:
        """Return the metadata that samples with this score share."""
        if model_version not in self.origins:
            origin = {"encoder_id": self.encoder_id, "model_version": model_version}
            self.origins[model_version] = MappingProxyType(origin)
        return self.origins[model_version]


def _number(score: StoredScore) -> int:
    return score.change_seq

"""Segments of a lexical index: which document holds which term, and how much of it.

A term's share of a BM25 score is its idf times how far its count saturates in the document. A
segment keeps the saturation alone, and lengths are compared with a constant, so that nothing but
the document decides it. Hence segments can be searched beside each other under one idf, and be
merged, and every score is what one index of all documents would give. The sparse matrix is built by
bm25s (X. H. Lù, https://arxiv.org/abs/2407.03618).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel_workers.reranking.lexical_tokens import tokenise

K1: Final = 1.2
B: Final = 0.75
TYPICAL_WORDS: Final = 400
"""The length that others are compared with: the mean of real postings. A collection with another
mean is scored by BM25 all the same, as with another k1 and b."""

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
Saturations = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Documents 0 to ``size`` - 1 by the terms they hold; nobody changes it.

    The term with number t is in the documents ``rows[starts[t]:starts[t + 1]]``, ascending, and
    its count in each saturates to ``saturations`` there, from 0 to 1.
    """

    terms: dict[str, int]
    starts: Ints
    rows: Rows
    saturations: Saturations
    size: int

    def found(self, term: str) -> slice:
        """Return where the entries of ``term`` are; an empty slice where it is unknown."""
        number = self.terms.get(term)
        if number is None:
            return slice(0, 0)
        return slice(int(self.starts[number]), int(self.starts[number + 1]))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A segment, which of its documents still count, and in how many of these each term is."""

    segment: Segment
    alive: Mask
    frequencies: Ints
    count: int

    @classmethod
    def of(cls, segment: Segment, alive: Mask | None = None) -> Part:
        """Return a part; without ``alive`` (size,) all documents count."""
        if alive is None or alive.all():
            everyone = np.ones(segment.size, dtype=bool)
            return cls(segment, everyone, np.diff(segment.starts), segment.size)
        before = np.concatenate([[0], np.cumsum(alive[segment.rows])])
        frequencies = before[segment.starts[1:]] - before[segment.starts[:-1]]
        return cls(segment, alive, frequencies, int(alive.sum()))

    def frequency(self, term: str) -> int:
        """Return how many documents that count hold ``term``."""
        number = self.segment.terms.get(term)
        return 0 if number is None else int(self.frequencies[number])


def idf(frequency: npt.ArrayLike, count: int) -> Floats:
    """Return how much terms tell that are in ``frequency`` of ``count`` documents; above 0."""
    held = np.asarray(frequency, dtype=np.float64)
    weights: Floats = np.log1p((count - held + 0.5) / (held + 0.5))
    return weights


def build_segment(texts: Iterable[str]) -> Segment:
    """Return the segment of ``texts``, in their order."""
    terms: dict[str, int] = {}
    documents = [[terms.setdefault(t, len(terms)) for t in tokenise(text)] for text in texts]
    if not terms:
        return _sorted(terms, np.zeros(0, np.int64), np.zeros(0), np.zeros(0), len(documents))
    import bm25s  # takes half a second, which nobody who searches nothing shall wait for

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it would tell of every segment
    # bm25s compares lengths with the mean of what it is given. These k1 and b turn that into a
    # comparison with the constant: k1 (1 - b + b length / mean) is the same number either way.
    ratio = sum(map(len, documents)) / len(documents) / TYPICAL_WORDS
    scale = 1 - B + B * ratio
    built = bm25s.BM25(k1=K1 * scale, b=B * ratio / scale, method="lucene", dtype="float64")
    built.index((documents, terms), create_empty_token=False, show_progress=False)
    starts = np.asarray(built.scores["indptr"], dtype=np.int64)
    frequencies = np.diff(starts)
    saturations = built.scores["data"] / np.repeat(idf(frequencies, len(documents)), frequencies)
    rows = built.scores["indices"].astype(np.int32)
    return Segment(terms, starts, rows, saturations.astype(np.float32), len(documents))


def merge(parts: Sequence[Part]) -> Segment:
    """Return one segment of the documents that count: those of the first part, then the next."""
    terms: dict[str, int] = {}
    numbers, rows, saturations, size = [], [], [], 0
    for part in parts:
        segment = part.segment
        own = np.array([terms.setdefault(t, len(terms)) for t in segment.terms], dtype=np.int64)
        kept = part.alive[segment.rows]
        numbers.append(np.repeat(own, np.diff(segment.starts))[kept])
        rows.append(size + np.cumsum(part.alive)[segment.rows[kept]] - 1)
        saturations.append(segment.saturations[kept])
        size += part.count
    entries = np.concatenate(numbers), np.concatenate(rows), np.concatenate(saturations)
    return _sorted(terms, *entries, size)


def _sorted(
    terms: dict[str, int], numbers: Ints, rows: npt.ArrayLike, saturations: npt.ArrayLike, size: int
) -> Segment:
    """Return a segment of entries in any order of terms; those that nothing holds are left out."""
    order = np.argsort(numbers, kind="stable")  # documents stay ascending within a term
    counts = np.bincount(numbers, minlength=len(terms))
    held = [term for term, count in zip(terms, counts, strict=True) if count]
    return Segment(
        {term: number for number, term in enumerate(held)},
        np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64),
        np.asarray(rows, dtype=np.int32)[order],
        np.asarray(saturations, dtype=np.float32)[order],
        size,
    )

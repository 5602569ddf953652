"""Near-duplicate postings among the candidates of one ranking: found, and put together.

The same job comes from several boards, shortened, with another header, its title decorated.
`collapse` groups such copies by position, so that a ranking shows the best one and lists the
others::

    groups = collapse(texts, embeddings, places)   # all in the order of the ranking, best first
    kept = [group[0] for group in groups]          # positions; the order of the ranking stays
    duplicates = {group[0]: group[1:] for group in groups}

Two postings are copies when their titles agree apart from noise, their places do not contradict
each other, and one's description is found again in the other's: containment of runs of three words
(A. Broder, "On the resemblance and containment of documents", 1997). Chains of copies are one
group. Titles decide first, since two jobs of one company share most of their words: in real
postings a nurse for trauma and one for newborns share 91 %, technician II and III 97 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.fine_tuning.grouping import groups_of_pairs
from jobsentinel_workers.reranking.cosines import unit_rows
from jobsentinel_workers.reranking.posting_words import (
    place_words,
    places_agree,
    runs_of_words,
    title_words,
    without_place,
)

COPIED_SHARE: Final = 0.8
"""Of the shorter description's runs of words, so many are in the longer one if it is a copy."""
FEW_RUNS: Final = 20
"""A description with fewer runs is too short to be found in another by more than chance: then the
share of both together counts."""
NEIGHBOURS: Final = 16
"""With so many of one title and place, the nearest by their vectors, a posting is compared: a
thousand of one title must not become half a million comparisons."""


def collapse(
    texts: Sequence[str], embeddings: FloatArray, places: Sequence[str | None] | None = None
) -> list[list[int]]:
    """Return groups of positions, both best first; a posting without a copy is a group of one.

    Args:
        texts: postings in the order of the ranking, best first; the first line is the title.
        embeddings: (n, d) of the same, of any length; they say who is compared with whom where
            many have one title.
        places: where each job is, None where unknown; without them, places are not compared.

    Raises:
        InvalidInput: there is not one embedding, or not one place, for each text.
    """
    count = len(texts)
    if np.ndim(embeddings) != 2 or len(embeddings) != count:
        raise InvalidInput("embeddings", f"must be ({count}, d), not {np.shape(embeddings)}")
    if places is not None and len(places) != count:
        raise InvalidInput("places", f"must be {count}, one a text, not {len(places)}")
    named = [place or "" for place in places or [""] * count]
    pairs = _copies(texts, np.asarray(embeddings, dtype=np.float32), named)
    groups: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups_of_pairs(count, pairs)):
        groups[group].append(position)  # ascending, and so are the groups by their first
    return list(groups.values())


def _copies(
    texts: Sequence[str], embeddings: FloatArray, places: Sequence[str]
) -> Iterator[tuple[int, int]]:
    towns = [place_words(place) for place in places]
    parts = [text.partition("\n") for text in texts]
    runs: dict[int, frozenset[int]] = {}
    for positions in _with_one_title([title for title, _, _ in parts], places):
        runs |= {n: runs_of_words(parts[n][2]) for n in positions if n not in runs}
        for first, second in _comparable(positions, embeddings, towns):
            if _is_copied(runs[first], runs[second]):
                yield first, second


def _with_one_title(titles: Sequence[str], places: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Yield the positions, two or more, whose titles agree with or without their own place."""
    alike: dict[frozenset[str], list[int]] = defaultdict(list)
    for position, (title, place) in enumerate(zip(titles, places, strict=True)):
        words = title_words(title)
        for kept in {words, without_place(words, place)}:
            alike[kept].append(position)
    yield from {tuple(positions): None for positions in alike.values() if len(positions) > 1}


def _comparable(
    positions: tuple[int, ...], embeddings: FloatArray, towns: Sequence[frozenset[str]]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of ``positions`` whose places agree, for each its `NEIGHBOURS` nearest."""
    unit = unit_rows(embeddings[list(positions)])
    cosines = np.where(_agreeing([towns[n] for n in positions]), unit @ unit.T, -np.inf)
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    chosen = {
        (min(row, other), max(row, other))
        for row, others in enumerate(nearest.tolist())
        for other in others
        if cosines[row, other] > -np.inf
    }
    for first, second in sorted(chosen):
        yield positions[first], positions[second]


def _agreeing(towns: Sequence[frozenset[str]]) -> npt.NDArray[np.bool_]:
    """Return (n, n): whether two places can be one. Each distinct pair is looked at once."""
    distinct = {town: number for number, town in enumerate(dict.fromkeys(towns))}
    agree = np.array([[places_agree(one, other) for other in distinct] for one in distinct])
    rows = [distinct[town] for town in towns]
    expanded: npt.NDArray[np.bool_] = agree[np.ix_(rows, rows)]
    return expanded


def _is_copied(first: frozenset[int], second: frozenset[int]) -> bool:
    common = len(first & second)
    shorter = min(len(first), len(second))
    if shorter < FEW_RUNS:
        return common >= COPIED_SHARE * (len(first) + len(second) - common)
    return common >= COPIED_SHARE * shorter

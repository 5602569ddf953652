"""The first stage: which of many candidates are worth a closer look.

Dense retrieval finds what means the same in other words, lexical retrieval what bears the same
name: a technique, a certificate, a town. Their two rankings are joined by reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.reranking.ordering import Numbers, best_first, ranks
from jobsentinel_workers.reranking.rank_fusion import reciprocal_rank_fusion
from jobsentinel_workers.reranking.rankings import DENSE, FUSED, LEXICAL, Candidate, FirstStage
from jobsentinel_workers.reranking.stages import Entry


def retrieve(
    candidates: Sequence[Candidate],
    cosines: FloatArray,
    lexical: Mapping[str, float],
    first_stage: FirstStage,
    top_k: int,
) -> list[Entry]:
    """Return the best ``top_k`` of the candidates by ``first_stage``, best first, ties by id.

    Args:
        candidates: all that are known.
        cosines: (n,) of the same.
        lexical: BM25 scores by id, of those that hold a word of the query; others have none.
        first_stage: what counts; ``hybrid`` joins the best ``top_k`` of each of the two.
        top_k: from 1.
    """
    ids = [candidate.id for candidate in candidates]
    at = {id_: n for n, id_ in enumerate(ids)}
    entries = _entries(candidates, cosines, lexical)
    by_cosine = [ids[n] for n in best_first(cosines, ids, top_k)]
    by_words = sorted(lexical, key=lambda id_: (-lexical[id_], id_))[:top_k]
    order = {DENSE: by_cosine, LEXICAL: by_words}.get(first_stage)
    if order is None:
        fused = reciprocal_rank_fusion([by_cosine, by_words])
        for rank, (id_, score) in enumerate(fused, start=1):
            entries[at[id_]].scores[FUSED], entries[at[id_]].ranks[FUSED] = score, rank
        order = [id_ for id_, _ in fused][:top_k]
    found = [entries[at[id_]] for id_ in order]
    own = FUSED if first_stage == "hybrid" else first_stage
    for rank, entry in enumerate(found, start=1):
        entry.retrieval_rank, entry.score = rank, entry.scores[own]
    return found


def _entries(
    candidates: Sequence[Candidate], cosines: FloatArray, lexical: Mapping[str, float]
) -> list[Entry]:
    dense_ranks = ranks(cosines, [candidate.id for candidate in candidates])
    entries = [
        Entry(candidate, 0, 0.0, {DENSE: float(cosine)}, {DENSE: rank})
        for candidate, cosine, rank in zip(candidates, cosines, dense_ranks, strict=True)
    ]
    words: Numbers = np.array(list(lexical.values()), dtype=np.float64)
    lexical_ranks = dict(zip(lexical, ranks(words, list(lexical)), strict=True))
    for entry in entries:
        if entry.candidate.id in lexical:
            entry.scores[LEXICAL] = lexical[entry.candidate.id]
            entry.ranks[LEXICAL] = lexical_ranks[entry.candidate.id]
    return entries

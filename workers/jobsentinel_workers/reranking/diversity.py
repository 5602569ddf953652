"""Maximal marginal relevance: a ranking that trades some relevance for variety.

J. Carbonell and J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents
and producing summaries", SIGIR 1998. Each pick is the candidate with the highest

    trade_off x score - (1 - trade_off) x (highest cosine with what is picked already)

so scores should lie in 0..1, as cosines of texts do, or the trade-off means something else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import FloatArray
from jobsentinel_workers.reranking.cosines import unit_rows

Scores = npt.NDArray[np.floating[Any]]


def mmr(scores: Scores, embeddings: FloatArray, k: int, trade_off: float) -> list[int]:
    """Return the positions of up to ``k`` candidates in the order in which they are picked.

    Ties go to the earlier position, so the order given decides. With ``trade_off`` 1 the result is
    the order by score, with 0 only variety counts after the first pick.

    Args:
        scores: (n,) finite, higher is better.
        embeddings: (n, d) finite, of any length.
        k: how many to pick, from 1; all of them if there are fewer.
        trade_off: from 0 (variety) to 1 (score).

    Raises:
        InvalidInput: a value is out of its range, or there is not one embedding for each score.
    """
    checked, unit = _checked(scores, embeddings, k, trade_off)
    left = np.ones(len(checked), dtype=bool)
    relevance = trade_off * checked
    nearest = np.zeros(len(checked), dtype=np.float32)
    picks: list[int] = []
    for _ in range(min(k, len(checked))):
        gains = np.where(left, relevance - (1 - trade_off) * nearest, -np.inf)
        pick = int(gains.argmax())  # the first of equal ones
        left[pick] = False
        # Unlike a BLAS product, this rounds equal rows alike, wherever they stand: ties stay ties.
        cosines = np.einsum("nd,d->n", unit, unit[pick])
        nearest = np.maximum(nearest, cosines) if picks else cosines
        picks.append(pick)
    return picks


def _checked(
    scores: Scores, embeddings: FloatArray, k: int, trade_off: float
) -> tuple[npt.NDArray[np.float64], FloatArray]:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InvalidInput("k", f"must be a whole number from 1, not {k!r}")
    if not 0 <= trade_off <= 1:
        raise InvalidInput("trade_off", f"must be a number from 0 to 1, not {trade_off!r}")
    wide = np.asarray(scores, dtype=np.float64)
    if wide.ndim != 1 or not np.isfinite(wide).all():
        raise InvalidInput("scores", f"must be (n,) finite numbers, have shape {wide.shape}")
    vectors = np.asarray(embeddings, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(wide) or not np.isfinite(vectors).all():
        raise InvalidInput(
            "embeddings",
            f"must be ({len(wide)}, d) finite numbers, one row a score, not {vectors.shape}",
        )
    return wide, unit_rows(vectors)

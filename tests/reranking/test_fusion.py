"""The joined score: a probability of parts whose scales fit every query."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jobsentinel_workers.reranking import Fusion
from jobsentinel_workers.reranking.fusion import shares_of_best

SCORES = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=1, max_dims=2, max_side=8),
    elements=st.floats(0, 1e6, allow_subnormal=False),
)


@given(SCORES)
def test_shares_lie_between_zero_and_one_and_keep_the_order(scores: np.ndarray) -> None:
    shares = shares_of_best(scores)

    assert ((shares >= 0) & (shares <= 1)).all()
    assert (shares.max(axis=-1) == (scores.max(axis=-1) > 0)).all()
    assert (np.diff(shares[..., np.argsort(scores)] if scores.ndim == 1 else [0]) >= 0).all()


def test_no_candidates_have_no_shares() -> None:
    assert shares_of_best(np.zeros(0)).shape == (0,)


def test_a_part_with_more_weight_moves_the_score_more() -> None:
    cosines, logits = np.array([0.2, 0.8]), np.array([1.0, 1.0])

    light, heavy = (Fusion(weight, 0.5, -2.0).score(cosines, logits) for weight in (1.0, 6.0))

    assert heavy[1] - heavy[0] > light[1] - light[0] > 0


def test_without_words_the_score_is_that_of_the_other_parts() -> None:
    cosines, logits = np.array([0.2, 0.8]), np.array([1.0, -1.0])
    fusion = Fusion(3.0, 0.5, -2.0, lexical_weight=2.0)

    assert (fusion.score(cosines, logits) == Fusion(3.0, 0.5, -2.0).score(cosines, logits)).all()
    with_words = fusion.score(cosines, logits, np.array([0.0, 1.0]))
    assert with_words[0] == fusion.score(cosines, logits)[0]
    assert with_words[1] > fusion.score(cosines, logits)[1]

"""The part of a batch that is drawn at random, by which a model can be judged without bias.

Picks of any other strategy are a biased sample: a model that is right about all of them may still
be poor. The share is drawn evenly from all candidates before the strategy picks the rest; it is not
kept clear of near-duplicates, since choosing would bias it, but the other picks do not repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from jobsentinel_workers.active_learning.acquisition import descending
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.near_duplicates import Placed
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Chosen
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.reasons import explain_random

RANDOM_SHARE: Final = 0.1


def random_count(share: float, count: int) -> int:
    """Return how many of ``count`` picks are drawn, rounded half up: 1 of 5, none of 4 at 10 %."""
    return min(count, int(share * count + 0.5))


def draw_random(pool: CheckedPool, count: int) -> list[Chosen]:
    """Return ``count`` candidates drawn evenly; the same for every strategy with this seed."""
    drawn = descending(_draws(pool))[:count]
    reason = explain_random(pool.seed)
    return [(Placed(int(row)), reason, QueryStrategy.RANDOM.value) for row in drawn]


def choose_random(pool: CheckedPool) -> Choice:
    """Pick evenly; the scores are the draws."""
    return _draws(pool), draw_random(pool, pool.count)


def spread_out(chosen: Sequence[Chosen], drawn: Sequence[Chosen]) -> list[Chosen]:
    """Return both in one order, the drawn ones evenly between the chosen ones.

    Whoever stops half way has labelled half of the random share too.
    """
    total = len(chosen) + len(drawn)
    places = {int((at + 0.5) * total / len(drawn)): each for at, each in enumerate(drawn)}
    rest = iter(chosen)
    return [places[at] if at in places else next(rest) for at in range(total)]


def _draws(pool: CheckedPool) -> Floats:
    # A stream of its own: what a strategy draws with the same seed does not depend on it.
    draws: Floats = np.random.default_rng((pool.seed, 1)).random(pool.size)
    return draws

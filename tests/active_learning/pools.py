"""Pools to choose from, with all that any strategy looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from jobsentinel_workers.active_learning import Need, QueryStrategy, strategy_named

EVERY = list(QueryStrategy)
APART = [strategy for strategy in EVERY if strategy is not QueryStrategy.RANDOM]
"""Strategies that keep near-duplicates apart."""


def everything(
    size: int, *, labelled: int = 6, classes: int = 4, width: int = 16, seed: int = 0
) -> dict[str, Any]:
    """Return one random array for each `Need`, in float64."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), size + labelled)
    values = rng.normal(80.0, 20.0, size + labelled)
    embeddings = rng.normal(size=(size + labelled, width))
    return {
        "probabilities": probabilities[:size],
        "embeddings": embeddings[:size],
        "values": values[:size],
        "committee_probabilities": rng.dirichlet(np.ones(classes), (5, size)),
        "committee_values": values[:size] + rng.normal(size=(5, size)),
        "labelled_embeddings": embeddings[size:],
        "labelled_probabilities": probabilities[size:],
        "labelled_values": values[size:],
    }


def looked_at(strategy: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the part of ``given`` that the strategy looks at."""
    known = strategy_named(strategy)
    wanted = {need.value for need in known.needs | known.uses} or {Need.EMBEDDINGS.value}
    return {name: value for name, value in given.items() if name in wanted}


def rows(given: dict[str, Any], chosen: Iterable[int] | Any) -> dict[str, Any]:
    """Return ``given`` with the candidates ``chosen``, in that order."""
    picked = np.asarray(chosen)
    return {
        name: value
        if name.startswith("labelled")
        else value[:, picked]
        if name.startswith("committee")
        else value[picked]
        for name, value in given.items()
    }

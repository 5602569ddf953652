"""All strategies by name: the built-in ones, and those that installed packages add.

A package adds one by an entry point of the group ``jobsentinel.query_strategies`` that names a
`Strategy`. It is loaded when it is asked for, and checked; what it chooses is checked too.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import cast

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.query_strategies import installed_strategies, strategy_names
from jobsentinel_workers.active_learning.pool import CheckedPool, Choice, Strategy
from jobsentinel_workers.active_learning.query_strategy import Need, QueryStrategy
from jobsentinel_workers.active_learning.strategies import BUILT_IN


def strategy_named(name: str) -> Strategy:
    """Return the strategy called ``name``.

    Raises:
        InvalidInput: there is none, and the message lists those there are; or the package that
            adds it is at fault, and the message says which and how.
    """
    if name in BUILT_IN:
        return BUILT_IN[QueryStrategy(name)]
    entry = installed_strategies().get(name)
    if entry is None:
        raise InvalidInput("strategy", f"must be one of {', '.join(strategy_names())}")
    return _load(entry)


def check_choice(choice: object, pool: CheckedPool, strategy: str) -> Choice:
    """Return what a strategy chose, if it is every score and the right number of fresh picks.

    Raises:
        InvalidInput: it is something else; the message names the strategy.
    """
    problem = _choice_problem(choice, pool)
    if problem:
        entry = installed_strategies().get(strategy)
        origin = "" if entry is None else f" of the package {_package(entry)}"
        raise InvalidInput("strategy", f"{strategy!r}{origin} returned {problem}")
    scores, chosen = cast(Choice, choice)
    return np.asarray(scores, dtype=np.float64), list(chosen)


def _load(entry: EntryPoint) -> Strategy:
    try:
        strategy = entry.load()
    except Exception as error:  # any package's code may run here, and fail in any way
        raise _faulty(entry, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(strategy, Strategy):
        kind = type(strategy).__name__
        raise _faulty(entry, f"must be a Strategy, but {entry.value} is of the kind {kind}")
    if not callable(strategy.choose):
        raise _faulty(entry, f"has a {type(strategy.choose).__name__} in place of its function")
    if unknown := sorted(set(map(str, strategy.needs)) - {need.value for need in Need}):
        known = ", ".join(need.value for need in Need)
        raise _faulty(entry, f"needs {unknown[0]!r}, which is none of {known}")
    return strategy


def _faulty(entry: EntryPoint, problem: str) -> InvalidInput:
    return InvalidInput("strategy", f"{entry.name!r} of the package {_package(entry)} {problem}")


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module


def _choice_problem(choice: object, pool: CheckedPool) -> str:
    if not isinstance(choice, tuple) or len(choice) != 2:
        return f"a {type(choice).__name__}, not a pair of scores and picks"
    scores = np.asarray(choice[0])
    if scores.shape != (pool.size,) or scores.dtype.kind not in "fiu":
        return f"scores of the shape {scores.shape}, not a number for each of {pool.size}"
    if not np.isfinite(scores).all():
        return "scores that are NaN or infinite"
    rows = [each.index for each, _, _ in choice[1]]
    if len(rows) != pool.count:
        return f"{len(rows)} picks instead of {pool.count}"
    taken = {each.index for each in pool.placed}
    if len(set(rows)) < len(rows) or taken & set(rows) or not min(rows, default=0) >= 0:
        return "a candidate twice, or one that is picked already"
    return "" if max(rows, default=0) < pool.size else f"a pick beyond the {pool.size} candidates"

"""From what a caller gives to a checked pool: shapes that agree, and all that a strategy needs."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.active_learning.checks import (
    Floats,
    Vectors,
    check_class_names,
    check_committee,
    check_probabilities,
    check_values,
)
from jobsentinel_workers.active_learning.pool import (
    CheckedPool,
    Committee,
    Labelled,
    Strategy,
    empty_vectors,
)
from jobsentinel_workers.active_learning.query_strategy import Need
from jobsentinel_workers.active_learning.vectors import check_embeddings

_NO_PROBABILITIES = np.empty((0, 2))
_NO_VALUES = np.empty(0)


@dataclass(frozen=True, slots=True, eq=False)
class PoolInput:
    """What a caller gives, unchecked; each field is an argument of ``select``."""

    probabilities: Any = None
    embeddings: Any = None
    values: Any = None
    committee_probabilities: Any = None
    committee_values: Any = None
    labelled_embeddings: Any = None
    labelled_probabilities: Any = None
    labelled_values: Any = None

    def at(self, rows: Any) -> PoolInput:
        """Return this with the candidates in the order of ``rows``."""
        return PoolInput(
            probabilities=_rows(self.probabilities, rows),
            embeddings=_rows(self.embeddings, rows),
            values=_rows(self.values, rows),
            committee_probabilities=_columns(self.committee_probabilities, rows),
            committee_values=_columns(self.committee_values, rows),
            **{name: getattr(self, name) for name in _LABELLED},
        )

    def without_candidates(self, size: int | None) -> bool:
        """Return whether there is nothing to choose from, so that nothing else is needed."""
        given = (self.probabilities, self.embeddings, self.values)
        return size == 0 or any(isinstance(each, Sized) and not len(each) for each in given)

    def require(self, needs: frozenset[Need], strategy: str) -> None:
        """Refuse to go on without something that ``strategy`` needs."""
        for need in Need:
            given = getattr(self, need.value)
            if need not in needs or (given is not None and (need not in _LABELLED or len(given))):
                continue
            hint = "; label some first, chosen by typiclust" if need in _LABELLED else ""
            raise InvalidInput(need.value, f"are needed by the strategy {strategy}{hint}")


_LABELLED = tuple(each.name for each in fields(PoolInput) if each.name.startswith("labelled"))


def check_pool(
    given: PoolInput,
    strategy: Strategy,
    name: str,
    *,
    size: int | None,
    class_names: Sequence[str] | None,
    seed: int,
    limit: float,
) -> CheckedPool:
    """Return the pool that ``given`` describes, of which nothing is to be picked yet.

    Args:
        size: how many candidates there are, if something else than the arrays says so.

    Raises:
        InvalidInput: something is missing that the strategy needs, is no number, or does not fit.
    """
    if not given.without_candidates(size):
        given.require(strategy.needs, name)
    unit, lengths = _checked_embeddings(given.embeddings, "embeddings")
    probabilities = _checked_probabilities(given.probabilities, "probabilities")
    committee = _check_committee(given)
    pool = CheckedPool(
        strategy=name,
        size=0,
        count=0,
        seed=seed,
        limit=limit,
        probabilities=probabilities,
        names=_names(class_names, given, probabilities, committee),
        values=_checked_values(given.values, "values"),
        unit=unit,
        lengths=lengths,
        labelled=_check_labelled(given, unit, probabilities),
        committee=committee,
    )
    return replace(pool, size=_common_size(pool, given, size))


def _checked_embeddings(values: Any, field: str) -> tuple[Vectors, Floats]:
    return (empty_vectors(), _NO_VALUES) if values is None else check_embeddings(values, field)


def _checked_probabilities(values: Any, field: str) -> Floats:
    return _NO_PROBABILITIES if values is None else check_probabilities(values, field)


def _checked_values(values: Any, field: str) -> Floats:
    return _NO_VALUES if values is None else check_values(values, field)


def _check_committee(given: PoolInput) -> Committee:
    probabilities, values = given.committee_probabilities, given.committee_values
    return Committee(
        np.empty((0, 0, 2)) if probabilities is None else check_committee(probabilities),
        np.empty((0, 0))
        if values is None
        else check_values(values, "committee_values", dimensions=2),
    )


def _common_size(pool: CheckedPool, given: PoolInput, ids: int | None) -> int:
    sizes = {
        "probabilities": len(pool.probabilities),
        "embeddings": len(pool.unit),
        "values": len(pool.values),
        "committee_probabilities": pool.committee.probabilities.shape[1],
        "committee_values": pool.committee.values.shape[1],
    }
    there = {name: size for name, size in sizes.items() if getattr(given, name) is not None}
    if ids is not None:
        there["ids"] = ids
    if not there:
        raise InvalidInput("embeddings", "or probabilities must be given, one row a candidate")
    first, size = next(iter(there.items()))
    for name, other in there.items():
        if other != size:
            raise InvalidInput(name, f"must be {size} like the {first}, one a candidate: {other}")
    return int(size)


def _check_labelled(given: PoolInput, unit: Vectors, probabilities: Floats) -> Labelled:
    labelled = Labelled(
        _labelled_embeddings(given.labelled_embeddings, unit),
        _checked_probabilities(_or_none(given.labelled_probabilities), "labelled_probabilities"),
        _checked_values(_or_none(given.labelled_values), "labelled_values"),
    )
    count, classes = len(labelled.unit), probabilities.shape[1]
    if len(labelled.probabilities) and labelled.probabilities.shape[1] != classes:
        raise InvalidInput("labelled_probabilities", f"must be of {classes} classes")
    for name, rows in (("probabilities", labelled.probabilities), ("values", labelled.values)):
        if len(rows) and count and len(rows) != count:
            problem = f"must be {count} like the labelled embeddings, not {len(rows)}"
            raise InvalidInput(f"labelled_{name}", problem)
    return labelled


def _labelled_embeddings(values: Any, unit: Vectors) -> Vectors:
    width = unit.shape[1]
    if _or_none(values) is None or not len(unit):
        return empty_vectors(width)
    labelled, _ = check_embeddings(values, "labelled_embeddings")
    if labelled.shape[1] != width:
        raise InvalidInput("labelled_embeddings", f"must be {width} wide, like the candidates'")
    return labelled


def _names(
    names: Sequence[str] | None, given: PoolInput, probabilities: Floats, committee: Committee
) -> tuple[str, ...]:
    if given.probabilities is not None:
        return check_class_names(names, probabilities.shape[1])
    if given.committee_probabilities is not None:
        return check_class_names(names, committee.probabilities.shape[2])
    return ()


def _or_none(values: Any) -> Any:
    return None if values is None or not len(values) else values


def _rows(values: Any, rows: Any) -> Any:
    return None if values is None else np.asarray(values)[rows]


def _columns(values: Any, rows: Any) -> Any:
    return None if values is None else np.asarray(values)[:, rows]

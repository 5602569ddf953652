"""A pool as arrays: probabilities and embeddings, given or computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.active_learning.query_strategy import QueryStrategy
from jobsentinel_workers.active_learning.samples import Sample


class Predictor(Protocol):
    """What a multi-task predictor offers to selection."""

    def get_embedding(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) embeddings."""

    def predict_from_embeddings(
        self, embeddings: NDArray[np.float32]
    ) -> Sequence[Mapping[str, Any]]:
        """Return one prediction a row, by task name."""


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """(n, c) probabilities with their class names, where needed, and (n, d) embeddings."""

    probabilities: NDArray[np.float64] | None
    class_names: tuple[str, ...] | None
    embeddings: NDArray[np.float64]


def pool_arrays(
    pool: Sequence[Sample], strategy: QueryStrategy, predictor: Callable[[], Predictor], task: str
) -> PoolArrays:
    """Return what ``strategy`` needs of ``pool``, asking the predictor only for what is missing.

    Raises:
        InvalidInput: a sample's probabilities or embedding do not fit the others'.
        ModelUnavailable: the model has no trained head for ``task``.
    """
    if not pool:
        return PoolArrays(np.empty((0, 2)), None, np.empty((0, 1)))
    if strategy is QueryStrategy.RANDOM:
        # A draw looks at nothing, so nothing is computed for it.
        return PoolArrays(None, None, np.zeros((len(pool), 1)))
    embeddings = _embeddings(pool, predictor)
    if not strategy.needs_probabilities:
        return PoolArrays(None, None, embeddings)
    probabilities, names = _probabilities(pool, embeddings, predictor, task)
    return PoolArrays(probabilities, names, embeddings)


def _embeddings(pool: Sequence[Sample], predictor: Callable[[], Predictor]) -> NDArray[np.float64]:
    rows: list[Any] = [sample.embedding for sample in pool]
    missing = [index for index, row in enumerate(rows) if row is None]
    if missing:
        computed = predictor().get_embedding([pool[index].text for index in missing])
        for index, row in zip(missing, computed, strict=True):
            rows[index] = row
    return _stack(rows, "embedding")


def _probabilities(
    pool: Sequence[Sample],
    embeddings: NDArray[np.float64],
    predictor: Callable[[], Predictor],
    task: str,
) -> tuple[NDArray[np.float64], tuple[str, ...] | None]:
    rows: list[Any] = [sample.probabilities for sample in pool]
    missing = [index for index, row in enumerate(rows) if row is None]
    if missing:
        chosen = embeddings[missing].astype(np.float32)
        computed = predictor().predict_from_embeddings(chosen)
        for index, prediction in zip(missing, computed, strict=True):
            rows[index] = class_probabilities(prediction, task)
    names = next((tuple(row) for row in rows if isinstance(row, Mapping)), None)
    return _stack([_by_name(row, names, at) for at, row in enumerate(rows)], "probabilities"), names


def class_probabilities(prediction: Mapping[str, Any], task: str) -> dict[str, float]:
    """Return the class probabilities in one prediction; a yes-no task has ``no`` and ``yes``.

    Raises:
        ModelUnavailable: the prediction has no classes for ``task``.
    """
    answer = prediction.get(task, {})
    if "probabilities" in answer:
        return dict(answer["probabilities"])
    if "probability" in answer:
        return {"no": 1.0 - answer["probability"], "yes": answer["probability"]}
    raise ModelUnavailable(f"the model gives no class probabilities for the task {task!r}")


def _by_name(row: Any, names: tuple[str, ...] | None, at: int) -> Any:
    if not isinstance(row, Mapping) or names is None:
        return row
    if row.keys() != set(names):
        raise InvalidInput(f"pool.{at}.probabilities", "must have the same classes as the others")
    return [row[name] for name in names]


def _stack(rows: Sequence[Any], field: str) -> NDArray[np.float64]:
    width = np.shape(rows[0])
    for at, row in enumerate(rows):
        if np.ndim(row) != 1 or np.shape(row) != width:
            raise InvalidInput(f"pool.{at}.{field}", f"must be a row of numbers, {width} like all")
    try:
        return np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"pool.{field}", f"must hold numbers ({error})") from error

"""A pool as arrays: what a strategy looks at, given with the samples or computed by a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.active_learning.pool import Strategy
from jobsentinel_workers.active_learning.pool_input import PoolInput
from jobsentinel_workers.active_learning.query_strategy import Need
from jobsentinel_workers.active_learning.samples import Label, Sample

Prediction = Mapping[str, Any]

_TASK_OF_KIND: Final = {
    "category": "job_category",
    "salary": "salary_prediction",
    "scam": "scam_detection",
    "match": "match_quality",
}


class Predictor(Protocol):
    """What a multi-task predictor offers to selection."""

    def get_embedding(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, d) embeddings."""

    def predict_from_embeddings(self, embeddings: NDArray[np.float32]) -> Sequence[Prediction]:
        """Return one prediction a row, by task name."""


@dataclass(frozen=True, eq=False)
class Models:
    """Who is asked for what samples lack, and about which task.

    Attributes:
        predictor: returns the model, which is loaded when it is first asked for.
        committee: models that are asked about every sample by strategies that need them.
    """

    predictor: Callable[[], Predictor]
    task: str
    committee: Sequence[Predictor] = ()


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """The (m, d) embeddings of what is labelled, as far as they are known, with m labels."""

    embeddings: Sequence[NDArray[Any]] = ()
    labels: Sequence[Label] = ()


@dataclass(frozen=True, eq=False)
class PoolArrays:
    """Arguments of ``select`` by name; ``embeddings`` again, for those that are to be kept."""

    arguments: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    embeddings: NDArray[Any] | None = None

    def at(self, rows: Sequence[int]) -> PoolArrays:
        """Return the arrays of these candidates alone."""
        chosen = PoolInput(**self.arguments).at(list(rows))
        there = {each.name: getattr(chosen, each.name) for each in fields(chosen)}
        return PoolArrays(
            {name: array for name, array in there.items() if array is not None},
            self.class_names,
            None if self.embeddings is None else self.embeddings[list(rows)],
        )


def pool_arrays(
    pool: Sequence[Sample], strategy: Strategy, models: Models, labelled: LabelledSamples
) -> PoolArrays:
    """Return what ``strategy`` looks at, asking the models only for what is missing.

    Raises:
        InvalidInput: a sample's probabilities or embedding do not fit the others'; a committee is
            needed and has fewer than two members; a label is no number where one is needed.
        ModelUnavailable: a model gives no classes, or no value, for the task.
    """
    wanted = strategy.needs | strategy.uses
    if not pool or Need.EMBEDDINGS not in wanted:
        # A draw looks at nothing, so nothing is computed for it.
        return PoolArrays({"embeddings": np.zeros((len(pool), 1))})
    embeddings = _embeddings(pool, models.predictor)
    about = _About(pool, embeddings, models, labelled)
    arguments: dict[str, Any] = {"embeddings": embeddings}
    names: tuple[str, ...] | None = None
    if labelled.embeddings:
        arguments["labelled_embeddings"] = list(labelled.embeddings)
    if Need.PROBABILITIES in wanted:
        arguments["probabilities"], names = about.probabilities()
    if Need.LABELLED_PROBABILITIES in wanted and labelled.embeddings:
        arguments["labelled_probabilities"] = about.labelled_probabilities(names)
    if Need.COMMITTEE_PROBABILITIES in wanted:
        arguments["committee_probabilities"], names = about.committee_probabilities()
    if Need.COMMITTEE_VALUES in wanted:
        arguments["committee_values"] = about.committee_values()
    if Need.VALUES in wanted:
        arguments["values"] = about.values()
        arguments["labelled_values"] = labelled_numbers(labelled.labels)
    return PoolArrays(arguments, names, embeddings)


@dataclass(frozen=True, eq=False)
class _About:
    """The answers of the models about a pool."""

    pool: Sequence[Sample]
    embeddings: NDArray[Any]
    models: Models
    labelled: LabelledSamples

    def probabilities(self) -> tuple[Floats, tuple[str, ...] | None]:
        """Return (n, c) probabilities with their class names, where there are names."""
        rows: list[Any] = [sample.probabilities for sample in self.pool]
        missing = [index for index, row in enumerate(rows) if row is None]
        if missing:
            answers = _answers(self.models.predictor(), self.embeddings[missing])
            for index, answer in zip(missing, answers, strict=True):
                rows[index] = class_probabilities(answer, self.models.task)
        return _matrix(rows, "probabilities")

    def labelled_probabilities(self, names: tuple[str, ...] | None) -> Floats:
        """Return (m, c) probabilities of what is labelled, in the order of ``names``."""
        answers = _answers(self.models.predictor(), np.array(self.labelled.embeddings))
        rows = [class_probabilities(answer, self.models.task) for answer in answers]
        return _matrix(rows, "labelled_probabilities", names)[0]

    def committee_probabilities(self) -> tuple[Floats, tuple[str, ...] | None]:
        """Return (k, n, c) probabilities, all in the order of the first member's classes."""
        names: tuple[str, ...] | None = None
        members = []
        for answers in self._committee():
            rows = [class_probabilities(answer, self.models.task) for answer in answers]
            matrix, names = _matrix(rows, "committee", names)
            members.append(matrix)
        return np.stack(members), names

    def committee_values(self) -> Floats:
        """Return (k, n) values."""
        return np.stack(
            [
                np.array([predicted_value(answer, self.models.task) for answer in answers])
                for answers in self._committee()
            ]
        )

    def values(self) -> Floats:
        """Return (n,) values."""
        values = [_given_value(sample, at) for at, sample in enumerate(self.pool)]
        missing = [index for index, value in enumerate(values) if value is None]
        if missing:
            answers = _answers(self.models.predictor(), self.embeddings[missing])
            for index, answer in zip(missing, answers, strict=True):
                values[index] = predicted_value(answer, self.models.task)
        return np.array(values, dtype=np.float64)

    def _committee(self) -> list[Sequence[Prediction]]:
        members = self.models.committee
        if len(members) < 2:
            raise InvalidInput("committee", f"must be of 2 members or more, not {len(members)}")
        return [_answers(member, self.embeddings) for member in members]


def task_of(kind: str) -> str:
    """Return the scoring model's task that answers a kind of label; further ones have its name."""
    return _TASK_OF_KIND.get(kind, kind)


def class_probabilities(prediction: Prediction, task: str) -> dict[str, float]:
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


def predicted_value(prediction: Prediction, task: str) -> float:
    """Return the value in one prediction.

    Raises:
        ModelUnavailable: the prediction has no value for ``task``.
    """
    answer = prediction.get(task, {})
    if "value" not in answer:
        raise ModelUnavailable(f"the model gives no value for the task {task!r}")
    return float(answer["value"])


def labelled_numbers(labels: Sequence[Label]) -> list[float]:
    """Return labels as numbers.

    Raises:
        InvalidInput: one is text or a truth value.
    """
    for at, label in enumerate(labels):
        if isinstance(label, bool | str):
            raise InvalidInput(f"labels.{at}", f"must be a number, not {type(label).__name__}")
    return [float(label) for label in labels]


def _answers(predictor: Predictor, embeddings: NDArray[Any]) -> Sequence[Prediction]:
    return predictor.predict_from_embeddings(embeddings.astype(np.float32))


def _given_value(sample: Sample, at: int) -> float | None:
    if sample.value is None:
        return None
    if isinstance(sample.value, bool) or not isinstance(sample.value, int | float):
        kind = type(sample.value).__name__
        raise InvalidInput(f"pool.{at}.value", f"must be a number, not {kind}")
    return float(sample.value)


def _embeddings(pool: Sequence[Sample], predictor: Callable[[], Predictor]) -> NDArray[Any]:
    rows: list[Any] = [sample.embedding for sample in pool]
    missing = [index for index, row in enumerate(rows) if row is None]
    if missing:
        computed = predictor().get_embedding([pool[index].text for index in missing])
        for index, row in zip(missing, computed, strict=True):
            rows[index] = row
    return _stack(rows, "embedding")


def _matrix(
    rows: Sequence[Any], field: str, names: tuple[str, ...] | None = None
) -> tuple[Floats, tuple[str, ...] | None]:
    names = names or next((tuple(row) for row in rows if isinstance(row, Mapping)), None)
    return _stack([_by_name(row, names, at, field) for at, row in enumerate(rows)], field), names


def _by_name(row: Any, names: tuple[str, ...] | None, at: int, field: str) -> Any:
    if not isinstance(row, Mapping) or names is None:
        return row
    if row.keys() != set(names):
        raise InvalidInput(f"pool.{at}.{field}", "must have the same classes as the others")
    return [row[name] for name in names]


def _stack(rows: Sequence[Any], field: str) -> NDArray[Any]:
    """Return rows as one array: float32 if they all are, for half the memory, else float64."""
    width = np.shape(rows[0])
    for at, row in enumerate(rows):
        if np.ndim(row) != 1 or np.shape(row) != width:
            raise InvalidInput(f"pool.{at}.{field}", f"must be a row of numbers, {width} like all")
    single = all(isinstance(row, np.ndarray) and row.dtype == np.float32 for row in rows)
    try:
        return np.asarray(rows, dtype=np.float32 if single else np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"pool.{field}", f"must hold numbers ({error})") from error

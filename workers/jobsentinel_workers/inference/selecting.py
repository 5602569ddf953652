"""Selecting samples for labelling, by what models in service say of them and their embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel_workers.active_learning import Need, Selection, select, strategy_named
from jobsentinel_workers.active_learning.checks import Floats
from jobsentinel_workers.encoders import Runner
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.scored_texts import ScoredTexts
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.multi_task import MultiTaskPredictor, Task, TaskType
from jobsentinel_workers.multi_task.answers import to_numbers
from jobsentinel_workers.store import Database

_HEADS: Final = {
    "category": "job_category",
    "scam": "scam_detection",
    "salary": "salary_prediction",
}
_TEXTS: Final = ScoredTexts()


@dataclass(frozen=True, slots=True)
class Selecting:
    """Answers one selection request."""

    database: Database
    models: ServingModels
    runner: Runner

    def select(self, request: requests.SelectRequest) -> tuple[results.SelectResult, Embedded]:
        """Return the picks with their reasons, and the embeddings worth keeping.

        Raises:
            InvalidInput: the strategy lacks something, or a model is of another kind.
            ModelUnavailable: a model does not exist, or cannot say how sure it is.
        """
        strategy = strategy_named(request.strategy)
        wanted = strategy.needs | strategy.uses
        # A draw looks at no text, so none is read or encoded for it.
        texts = _TEXTS.read(sample.text for sample in request.samples) if wanted else []
        known = _TEXTS.read(sample.text for sample in request.labelled) if wanted else []
        encoder = self.models.base
        if request.model == SCORING:
            encoder = self.models.scoring().model.encoder
        embedded = embed(self.database, encoder, [*texts, *known], self.runner)
        asking = _Asking(self.models, self.runner, request, texts, known, embedded)
        chosen = select(
            request.strategy,
            num_samples=request.num_samples,
            ids=[sample.id for sample in request.samples],
            seed=request.seed,
            random_share=request.random_share,
            **(asking.arguments(wanted) if request.samples else {}),
        )
        return self._result(request, chosen, wanted), embedded

    def _result(
        self, request: requests.SelectRequest, chosen: Selection, wanted: frozenset[Need]
    ) -> results.SelectResult:
        ids = [sample.id for sample in request.samples]
        asked = wanted & {Need.COMMITTEE_PROBABILITIES, Need.COMMITTEE_VALUES}
        return results.SelectResult(
            picks=tuple(
                results.Pick(
                    id=ids[pick.index],
                    score=pick.score,
                    reason=pick.reason,
                    chosen_by=pick.chosen_by,
                )
                for pick in chosen.picks
            ),
            scores=dict(zip(ids, map(float, chosen.scores), strict=True)),
            strategy=request.strategy,
            seed=request.seed,
            model=self._stamp(request.model),
            random_share=request.random_share,
            committee=tuple(map(self._stamp, request.committee if asked else ())),
        )

    def _stamp(self, model: str) -> ModelStamp:
        if model == SCORING:
            return self.models.scoring().stamp
        return self.models.fine_tuned(model).stamp


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request's questions to the models, as arguments of ``select``."""

    models: ServingModels
    runner: Runner
    request: requests.SelectRequest
    texts: list[str]
    known: list[str]
    embedded: Embedded

    def arguments(self, wanted: frozenset[Need]) -> dict[str, Any]:
        """Return what a strategy that looks at ``wanted`` is to be given."""
        found: dict[str, Any] = {}
        size, model = len(self.texts), self.request.model
        if wanted:
            found["embeddings"] = self.embedded.vectors[:size]
            found["labelled_embeddings"] = self.embedded.vectors[size:]
        if Need.PROBABILITIES in wanted:
            labelled = Need.LABELLED_PROBABILITIES in wanted
            rows, found["class_names"] = self._classes(model, labelled=labelled)
            found["probabilities"] = rows[:size]
            found["labelled_probabilities"] = rows[size:]
        if Need.COMMITTEE_PROBABILITIES in wanted:
            rows, found["class_names"] = self._votes()
            found["committee_probabilities"] = rows
        if Need.VALUES in wanted:
            found["values"] = self._values(model)
            found["labelled_values"] = self._labelled_values()
        if Need.COMMITTEE_VALUES in wanted:
            found["committee_values"] = [self._values(name) for name in self._members()]
        return found

    def _votes(self) -> tuple[Floats, list[str]]:
        first, *others = self._members()
        rows, names = self._classes(first)
        members = [rows]
        for number, name in enumerate(others, start=1):
            rows, other = self._classes(name)
            if sorted(other) != sorted(names):
                problem = f"is {name!r}, whose classes are not those of {first!r}"
                raise InvalidInput(f"committee.{number}", problem)
            members.append(rows[:, [other.index(each) for each in names]])
        return np.stack(members), names

    def _members(self) -> tuple[str, ...]:
        members = self.request.committee
        if len(members) < 2:
            problem = f"must name 2 models or more for {self.request.strategy}, not {len(members)}"
            raise InvalidInput("committee", problem)
        return members

    def _classes(self, model: str, *, labelled: bool = False) -> tuple[Floats, list[str]]:
        texts = [*self.texts, *self.known] if labelled else self.texts
        if model == SCORING:
            return self._scoring_classes(texts)
        answers = self._custom(model, texts)
        if "probabilities" not in answers[0]:
            raise InvalidInput("model", f"is {model!r}, which is not a classifier")
        rows = [list(answer["probabilities"].values()) for answer in answers]
        return np.array(rows, dtype=np.float64), list(answers[0]["probabilities"])

    def _values(self, model: str) -> Floats:
        if model == SCORING:
            task, numbers = self._scoring_numbers(self.texts)
            if task.has_classes or task.type is TaskType.BINARY:
                raise ModelUnavailable(f"the model gives no value for the task {task.name!r}")
            return numbers[:, 1]
        answers = self._custom(model, self.texts)
        if "value" not in answers[0]:
            raise InvalidInput("model", f"is {model!r}, which predicts no value")
        return np.array([answer["value"] for answer in answers], dtype=np.float64)

    def _labelled_values(self) -> list[float]:
        for number, sample in enumerate(self.request.labelled):
            if sample.value is None:
                problem = f"is missing, and {self.request.strategy} needs numbers"
                raise InvalidInput(f"labelled.{number}.value", problem)
        return [float(sample.value) for sample in self.request.labelled if sample.value is not None]

    def _scoring_classes(self, texts: list[str]) -> tuple[Floats, list[str]]:
        task, numbers = self._scoring_numbers(texts)
        if task.has_classes:
            return numbers, list(task.classes)
        if task.type is TaskType.BINARY:
            return np.stack((1.0 - numbers, numbers), axis=1), ["no", "yes"]
        raise ModelUnavailable(f"the model gives no class probabilities for the task {task.name!r}")

    def _scoring_numbers(self, texts: list[str]) -> tuple[Task, Floats]:
        """Return the task that is asked about, and what the scoring model says of ``texts``.

        The one head is read as arrays: answers in words would take longer than the selection.
        """
        model = self.models.scoring().model
        predictor = MultiTaskPredictor(model, self.runner)
        vectors = self.embedded.vectors[: len(texts)]
        if self.request.model != SCORING:
            # The samples were encoded for another model.
            vectors = self.runner(model.encoder, texts)
        name = _HEADS[self.request.task]
        if name not in model.calibrations:
            raise ModelUnavailable(f"the model has no trained head for the task {name!r}")
        task = model.tasks[name]
        raw = predictor.raw_outputs(vectors, name)
        return task, to_numbers(task, raw, model.calibrations[name])

    def _custom(self, model: str, texts: list[str]) -> list[dict[str, Any]]:
        return self.models.fine_tuned(model).model.predict_batch(texts, runner=self.runner)

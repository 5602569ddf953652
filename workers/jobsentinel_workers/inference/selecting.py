"""Selecting samples for labelling, by what models in service say of them and their embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.results import ModelStamp
from jobsentinel_workers.active_learning import Need, Selection, select, strategy_named
from jobsentinel_workers.active_learning.predictions import class_probabilities, predicted_value
from jobsentinel_workers.encoders import FloatArray, Runner
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.multi_task import MultiTaskPredictor, scored_text
from jobsentinel_workers.store import Database

_HEADS: Final = {
    "category": "job_category",
    "scam": "scam_detection",
    "salary": "salary_prediction",
}
_ONLY: Final = "answer"
"""A model of the user's has one kind of answer, which goes by this name here."""


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
        texts = [scored_text(sample.text) for sample in request.samples]
        known = [scored_text(sample.text) for sample in request.labelled]
        encoder = self.models.base
        if request.model == SCORING:
            encoder = self.models.scoring().model.encoder
        # A draw looks at no text, so none is encoded for it.
        embedded = embed(self.database, encoder, [*texts, *known] if wanted else [], self.runner)
        asking = _Asking(self.models, self.runner, request, texts, known, embedded)
        chosen = select(
            request.strategy,
            num_samples=request.num_samples,
            ids=[sample.id for sample in request.samples],
            seed=request.seed,
            random_share=request.random_share,
            **(asking.arguments(wanted) if texts else {}),
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

    def _votes(self) -> tuple[FloatArray, list[str]]:
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

    def _classes(self, model: str, *, labelled: bool = False) -> tuple[FloatArray, list[str]]:
        answers, task = self._answers(model, labelled=labelled)
        if model != SCORING and "probabilities" not in answers[0][task]:
            raise InvalidInput("model", f"is {model!r}, which is not a classifier")
        rows = [class_probabilities(answer, task) for answer in answers]
        return np.array([list(row.values()) for row in rows], dtype=np.float64), list(rows[0])

    def _values(self, model: str) -> FloatArray:
        answers, task = self._answers(model)
        if model != SCORING and "value" not in answers[0][task]:
            raise InvalidInput("model", f"is {model!r}, which predicts no value")
        return np.array([predicted_value(answer, task) for answer in answers], dtype=np.float64)

    def _labelled_values(self) -> list[float]:
        for number, sample in enumerate(self.request.labelled):
            if sample.value is None:
                problem = f"is missing, and {self.request.strategy} needs numbers"
                raise InvalidInput(f"labelled.{number}.value", problem)
        return [float(sample.value) for sample in self.request.labelled if sample.value is not None]

    def _answers(
        self, model: str, *, labelled: bool = False
    ) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Return the answers about the samples, and about what is labelled, under a task's name."""
        texts = [*self.texts, *self.known] if labelled else self.texts
        if model == SCORING:
            predictor = MultiTaskPredictor(self.models.scoring().model, self.runner)
            vectors = self.embedded.vectors[: len(texts)]
            if self.request.model != SCORING:
                # The samples were encoded for another model.
                vectors = predictor.get_embedding(texts)
            return predictor.predict_from_embeddings(vectors), _HEADS[self.request.task]
        custom = self.models.fine_tuned(model).model
        return [{_ONLY: each} for each in custom.predict_batch(texts, runner=self.runner)], _ONLY

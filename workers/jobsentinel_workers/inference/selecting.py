"""Selecting samples for labelling, by the probabilities and embeddings of a model in service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel.contract.results import ModelStamp
from jobsentinel_workers.active_learning import select
from jobsentinel_workers.encoders import FloatArray, Runner
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.multi_task import MultiTaskPredictor, scored_text
from jobsentinel_workers.store import Database


@dataclass(frozen=True, slots=True)
class Selecting:
    """Answers one selection request."""

    database: Database
    models: ServingModels
    runner: Runner

    def select(self, request: requests.SelectRequest) -> tuple[results.SelectResult, Embedded]:
        """Return the picks with their reasons, and the embeddings worth keeping.

        Raises:
            ModelUnavailable: the model does not exist, or cannot say how sure it is.
        """
        texts = [scored_text(sample.text) for sample in request.samples]
        encoder = self.models.base
        if request.model == SCORING:
            encoder = self.models.scoring().model.encoder
        embedded = embed(self.database, encoder, texts, self.runner)
        if not texts:
            return self._empty(request), embedded
        probabilities, names, stamp = self._probabilities(request.model, texts, embedded)
        chosen = select(
            request.strategy,
            probabilities,
            embedded.vectors,
            num_samples=request.num_samples,
            class_names=names,
            seed=request.seed,
        )
        ids = [sample.id for sample in request.samples]
        picks = tuple(
            results.Pick(id=ids[pick.index], score=float(pick.score), reason=pick.reason)
            for pick in chosen.picks
        )
        result = results.SelectResult(
            picks=picks,
            scores=dict(zip(ids, map(float, chosen.scores), strict=True)),
            strategy=request.strategy,
            seed=request.seed,
            model=stamp,
        )
        return result, embedded

    def _empty(self, request: requests.SelectRequest) -> results.SelectResult:
        stamp = self.models.scoring().stamp
        return results.SelectResult(
            picks=(), scores={}, strategy=request.strategy, seed=request.seed, model=stamp
        )

    def _probabilities(
        self, model: str, texts: list[str], embedded: Embedded
    ) -> tuple[FloatArray, list[str], ModelStamp]:
        if model == SCORING:
            served = self.models.scoring()
            predictor = MultiTaskPredictor(served.model, self.runner)
            answers = predictor.predict_from_embeddings(embedded.vectors)
            if "job_category" not in answers[0]:
                raise ModelUnavailable(
                    "the category head is not trained over this encoder; train it first"
                )
            rows = [answer["job_category"]["probabilities"] for answer in answers]
            return _matrix(rows), list(rows[0]), served.stamp
        custom = self.models.fine_tuned(model)
        answers = custom.model.predict_batch(texts, runner=self.runner)
        if "probabilities" not in answers[0]:
            raise InvalidInput("model", f"is {model!r}, which is not a classifier")
        rows = [answer["probabilities"] for answer in answers]
        return _matrix(rows), list(rows[0]), custom.stamp


def _matrix(rows: list[dict[str, float]]) -> FloatArray:
    matrix: FloatArray = np.array([list(row.values()) for row in rows], dtype=np.float64)
    return matrix

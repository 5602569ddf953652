"""Scoring postings: one encoding, all heads, and the user's own models beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel_workers.encoders import Runner, SequenceModel, TextEncoder
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.posting_scores import (
    custom_prediction,
    posting_score,
)
from jobsentinel_workers.inference.serving import ServingModels
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.multi_task import MultiTaskPredictor, scored_text
from jobsentinel_workers.store import Database

CustomPredictions = list[dict[str, results.CustomPrediction]]


def model_text(posting: Posting) -> str:
    """Return a posting's text as the models see it: without the salary it states."""
    return scored_text(posting.text())


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores in the order of the request, and the embeddings they were made from."""

    scores: list[results.PostingScore]
    texts: list[str]
    stamp: results.ModelStamp
    own: Embedded
    base: Embedded
    """By the base encoder, for the index; a part of ``own`` unless the encoder was trained."""
    profile: Embedded | None
    """The profile's, which the next chunk will ask for again."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scores one request."""

    database: Database
    models: ServingModels
    runner: Runner

    def score(self, request: requests.ScoreRequest) -> Scored:
        """Return a score for each posting.

        Raises:
            ModelUnavailable: a model asked for does not exist.
        """
        served = self.models.scoring()
        encoder = served.model.encoder
        texts = [model_text(posting) for posting in request.postings]
        own = embed(self.database, encoder, texts, self.runner)
        base = self._base(own, encoder, texts)
        profile = self._profile(request, encoder)
        predictions = self._predict(request, own, profile, texts)
        custom = self._custom(request, texts, base)
        scores = [
            posting_score(posting, prediction, extra, served.stamp)
            for posting, prediction, extra in zip(
                request.postings, predictions, custom, strict=True
            )
        ]
        return Scored(scores, texts, served.stamp, own, base, profile)

    def _base(self, own: Embedded, encoder: TextEncoder, texts: list[str]) -> Embedded:
        """Return the base encoder's embeddings, out of those at hand where they are in these."""
        base = self.models.base
        if encoder.text_model_id != base.model_id:
            return embed(self.database, base, texts, self.runner)
        vectors = encoder.text_embeddings(own.vectors)
        # All are given to the store: a text that was only sampled before is not in the index yet.
        new = dict(zip(own.hashes, vectors, strict=True))
        return Embedded(vectors, own.hashes, new, base.model_id)

    def _profile(self, request: requests.ScoreRequest, encoder: SequenceModel) -> Embedded | None:
        if request.profile is None:
            return None
        return embed(self.database, encoder, [scored_text(request.profile)], self.runner)

    def _predict(
        self,
        request: requests.ScoreRequest,
        own: Embedded,
        profile: Embedded | None,
        texts: list[str],
    ) -> list[Any]:
        if SCORING not in request.models:
            return [{} for _ in request.postings]
        predictor = MultiTaskPredictor(self.models.scoring().model, self.runner)
        vector = None if profile is None else profile.vectors[0]
        return predictor.predict_from_embeddings(own.vectors, vector, texts)

    def _ask(self, model: FineTunedBERT, texts: list[str], base: Embedded) -> list[dict[str, Any]]:
        if model.encoder.model_id == base.encoder_id:
            # Only a head was trained, so the encoding at hand is the one it reads.
            return model.to_answers(model.outputs_from_embeddings(base.vectors))
        return model.predict_batch(texts, runner=self.runner)

    def _custom(
        self, request: requests.ScoreRequest, texts: list[str], base: Embedded
    ) -> CustomPredictions:
        answers: CustomPredictions = [{} for _ in texts]
        for name in request.models:
            if name == SCORING:
                continue
            served = self.models.fine_tuned(name)
            if served.model.config.task == "similarity":
                raise InvalidInput("models", f"has {name!r}, which compares texts and scores none")
            predictions = self._ask(served.model, texts, base)
            for answer, prediction in zip(answers, predictions, strict=True):
                answer[name] = custom_prediction(prediction, served.stamp)
        return answers

"""Scoring postings: one encoding, all heads, and the user's own models beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from jobsentinel.contract import requests, results
from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel_workers.encoders import FloatArray, Runner, SequenceModel, TextEncoder, TextInput
from jobsentinel_workers.fine_tuning import FineTunedBERT
from jobsentinel_workers.inference.embeddings import Embedded, embed
from jobsentinel_workers.inference.facts import score_facts
from jobsentinel_workers.inference.posting_scores import (
    custom_prediction,
    posting_score,
)
from jobsentinel_workers.inference.serving import Served, ServingModels
from jobsentinel_workers.models_in_service import SCORING
from jobsentinel_workers.multi_task import MultiTaskBERT, MultiTaskPredictor, scored_text
from jobsentinel_workers.store import Database

CustomPredictions = list[dict[str, results.CustomPrediction]]


def model_text(posting: Posting) -> str:
    """Return a posting's text as the models see it: without the salary it states."""
    return scored_text(posting.text())


@dataclass(frozen=True, slots=True)
class EmbeddedByArm:
    """Embeddings by the encoder of each arm, of which there is one unless a split is on."""

    parts: tuple[Embedded, ...]

    def save(self, connection: Connection) -> None:
        """Keep the new vectors of each."""
        for part in self.parts:
            part.save(connection)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores in the order of the request, and the embeddings they were made from."""

    scores: list[results.PostingScore]
    texts: list[str]
    stamp: results.ModelStamp
    """The champion's; a score's own says which version and arm it came from."""
    own: EmbeddedByArm
    base: Embedded
    """By the base encoder, for the index; a part of ``own`` unless the encoder was trained."""
    profile: EmbeddedByArm | None
    """The profile's, which the next chunk will ask for again."""

    def by_stamp(self) -> list[tuple[results.ModelStamp, list[results.PostingScore]]]:
        """Return the scores by the model that made them, in the order of the request each."""
        parts: dict[str, tuple[results.ModelStamp, list[results.PostingScore]]] = {}
        for score in self.scores:
            stamp = score.model or self.stamp
            parts.setdefault(stamp.arm or "", (stamp, []))[1].append(score)
        return list(parts.values())

    def facts(self) -> list[dict[str, Any]]:
        """Return what filters shall know of each posting that the scoring model answered for."""
        return [score_facts(score) for score in self.scores if score.model is not None]


@dataclass(frozen=True, slots=True)
class _ArmAnswers:
    """What one arm says of its postings, in the order of ``places``."""

    places: list[int]
    stamp: results.ModelStamp
    predictions: list[Any]
    own: Embedded
    base: Embedded
    profile: Embedded | None


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scores one request."""

    database: Database
    models: ServingModels
    runner: Runner

    def score(self, request: requests.ScoreRequest) -> Scored:
        """Return a score for each posting, by the arm it belongs to while a split is on.

        Raises:
            ModelUnavailable: a model asked for does not exist.
        """
        texts = [model_text(posting) for posting in request.postings]
        arms = [
            self._arm(request, served, [texts[place] for place in places], places)
            for served, places in self._arms(request)
        ]
        base = _base_in_order(arms)
        custom = self._custom(request, texts, base)
        answered = {
            place: (prediction, arm.stamp)
            for arm in arms
            for place, prediction in zip(arm.places, arm.predictions, strict=True)
        }
        scores = [
            posting_score(posting, answered[place][0], custom[place], answered[place][1])
            for place, posting in enumerate(request.postings)
        ]
        profiles = tuple(arm.profile for arm in arms if arm.profile is not None)
        return Scored(
            scores=scores,
            texts=texts,
            stamp=arms[0].stamp,
            own=EmbeddedByArm(tuple(arm.own for arm in arms)),
            base=base,
            profile=EmbeddedByArm(profiles) if profiles else None,
        )

    def _arms(
        self, request: requests.ScoreRequest
    ) -> list[tuple[Served[MultiTaskBERT], list[int]]]:
        if SCORING in request.models:
            return self.models.scoring_arms([posting.id for posting in request.postings])
        return [(self.models.scoring(), list(range(len(request.postings))))]

    def _arm(
        self,
        request: requests.ScoreRequest,
        served: Served[MultiTaskBERT],
        texts: list[str],
        places: list[int],
    ) -> _ArmAnswers:
        encoder = served.model.encoder
        own = embed(self.database, encoder, texts, self.runner)
        base = self._base(own, encoder, texts)
        profile = self._profile(request, encoder)
        predictions = self._predict(request, served.model, own, profile, texts)
        return _ArmAnswers(places, served.stamp, predictions, own, base, profile)

    def _base(self, own: Embedded, encoder: TextEncoder, texts: list[str]) -> Embedded:
        """Return the base encoder's embeddings, out of those at hand where they are in these."""
        base = self.models.base
        if encoder.text_model_id != base.model_id:
            return embed(self.database, base, texts, self.runner)
        if encoder.model_id == base.model_id:
            return own
        at_hand: dict[TextInput, FloatArray] = dict(
            zip(texts, encoder.text_embeddings(own.vectors), strict=True)
        )
        return embed(
            self.database, base, texts, lambda _, missing: np.stack([at_hand[t] for t in missing])
        )

    def _profile(self, request: requests.ScoreRequest, encoder: SequenceModel) -> Embedded | None:
        if request.profile is None:
            return None
        return embed(self.database, encoder, [scored_text(request.profile)], self.runner)

    def _predict(
        self,
        request: requests.ScoreRequest,
        model: MultiTaskBERT,
        own: Embedded,
        profile: Embedded | None,
        texts: list[str],
    ) -> list[Any]:
        if SCORING not in request.models:
            return [{} for _ in texts]
        predictor = MultiTaskPredictor(model, self.runner)
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


def _base_in_order(arms: list[_ArmAnswers]) -> Embedded:
    """Return the base encoder's embeddings of all arms in the order of the request."""
    if len(arms) == 1:
        return arms[0].base
    order = np.argsort(np.concatenate([arm.places for arm in arms]))
    hashes = [key for arm in arms for key in arm.base.hashes]
    new: dict[str, FloatArray] = {}
    for arm in arms:
        new |= arm.base.new
    vectors = np.concatenate([arm.base.vectors for arm in arms])[order]
    return Embedded(vectors, [hashes[row] for row in order], new, arms[0].base.encoder_id)

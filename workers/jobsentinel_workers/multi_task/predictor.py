"""Predictions for texts: one pass of the encoder, then all heads at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
from jobsentinel_workers.encoders import FloatArray, Runner, run_directly
from jobsentinel_workers.multi_task.answers import Prediction, to_answers
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.evidence import join
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.salary_text import strip_salary
from jobsentinel_workers.multi_task.words import count_words

MATCH_TASK = "match_quality"
TextOrPosting = str | Posting | Mapping[str, Any]


class MultiTaskPredictor:
    """Answers every trained task about texts.

    Salary figures are taken out of a text before it is encoded, as they were in training: the
    salary head judges the job, not the number its posting states.

    Example:
        >>> predictor = MultiTaskPredictor(create_job_matching_model())
        >>> predictor.predict("Registered nurse, night shift")["job_category"]["class"]
        'healthcare'
        >>> predictor.predict({"title": "Nurse", "location": "Boston, MA"})["job_category"]["class"]
        'healthcare'
    """

    def __init__(self, model: MultiTaskBERT, runner: Runner = run_directly) -> None:
        self.model = model
        self.runner = runner

    def predict(self, text: TextOrPosting, profile: str | None = None) -> Prediction:
        """Return the answers about one text or posting, by task.

        Of a posting, the fields that models see are composed as they are when it is sent to the
        fleet; a mapping of a posting's fields does as well.

        Raises:
            InvalidInput: the text or the profile is empty or no string, or a field is no posting's.
        """
        return self.predict_batch([text], profile)[0]

    def predict_batch(
        self, texts: Sequence[TextOrPosting], profile: str | None = None
    ) -> list[Prediction]:
        """Return the answers about each of ``texts``, and their match with ``profile`` if given.

        Raises:
            InvalidInput: as for :meth:`predict`; one string is given where a sequence is due.
        """
        if isinstance(texts, str):
            raise InvalidInput("texts", "must be a sequence of texts, not one string")
        if not texts:
            return []
        own = None if profile is None else self.get_embedding([profile])[0]
        scored = [scored_text(_text_of(text)) for text in texts]
        embeddings = self.runner(self.model.encoder, scored)
        return self.predict_from_embeddings(embeddings, own, scored)

    def get_embedding(self, texts: Sequence[TextOrPosting]) -> FloatArray:
        """Return (n, d) float32 embeddings of length 1, the ones the heads read."""
        return self.runner(self.model.encoder, [scored_text(_text_of(text)) for text in texts])

    def predict_from_embeddings(
        self,
        embeddings: FloatArray,
        profile_embedding: FloatArray | None = None,
        texts: Sequence[str] | None = None,
    ) -> list[Prediction]:
        """Return the answers from (n, d) embeddings and a (d,) profile's.

        With the ``texts`` that were embedded, as `scored_text` gives them, tasks that also judge
        by words do so and answer better; without, the heads answer alone.

        Raises:
            InvalidInput: an array has another shape or holds NaN or infinity, or there are not as
                many texts as embeddings.
        """
        width = self.model.encoder.output_dim
        _check(embeddings, "embeddings", (len(embeddings), width))
        if texts is not None and len(texts) != len(embeddings):
            raise InvalidInput("texts", f"are {len(texts)} for {len(embeddings)} embeddings")
        predictions = self._answer(embeddings, texts)
        if profile_embedding is not None:
            _check(profile_embedding, "profile_embedding", (width,))
            self._add_match(predictions, profile_embedding, embeddings)
        return predictions

    @torch.inference_mode()
    def raw_outputs(self, embeddings: FloatArray, name: str) -> npt.NDArray[np.float64]:
        """Return what the head of task ``name`` gives before calibration, (n, output_dim)."""
        inputs = torch.from_numpy(np.ascontiguousarray(embeddings, dtype=np.float32))
        raw = self.model.heads[name](inputs.to(self.model.encoder.device))
        return np.asarray(raw.cpu().numpy(), dtype=np.float64)

    def _answer(self, embeddings: FloatArray, texts: Sequence[str] | None) -> list[Prediction]:
        predictions: list[Prediction] = [{} for _ in embeddings]
        if not predictions:
            return predictions
        for name, (raw, calibration) in self.calibrated(embeddings, texts).items():
            answers = to_answers(self.model.tasks[name], raw, calibration)
            for prediction, answer in zip(predictions, answers, strict=True):
                prediction[name] = answer
        return predictions

    def calibrated(
        self, embeddings: FloatArray, texts: Sequence[str] | None = None
    ) -> dict[str, tuple[npt.NDArray[np.float64], Calibration]]:
        """Return each task's outputs, (n, output_dim), and the calibration that they need."""
        found = {
            name: (self.raw_outputs(embeddings, name), calibration)
            for name, calibration in self.model.calibrations.items()
        }
        if texts is None or not self.model.joined_calibrations:
            return found
        counts = count_words(texts)
        for name, joined in self.model.joined_calibrations.items():
            words = self.model.word_outputs(name, counts, embeddings, joined.network_share)
            head = found[name][0]
            outputs = join(self.model.tasks[name], head, words, joined)
            found[name] = (outputs, joined.calibration)
        return found

    def _add_match(
        self, predictions: list[Prediction], profile: FloatArray, embeddings: FloatArray
    ) -> None:
        if not self.model.pair_scorer.trained:
            return
        encoder = self.model.encoder
        own = encoder.text_embeddings(profile[None])[0]
        scores = self.model.pair_scorer.score(own, encoder.text_embeddings(embeddings)).tolist()
        for prediction, score in zip(predictions, scores, strict=True):
            learnt = prediction.get(MATCH_TASK)
            # What the user's labels taught and what the profile says count alike.
            value = score if learnt is None else (score + learnt["value"]) / 2
            prediction[MATCH_TASK] = {"value": value}


def _text_of(text: TextOrPosting) -> str:
    if isinstance(text, Posting):
        return text.text()
    if isinstance(text, Mapping):
        # The id tells postings apart on their way through the fleet; one text needs none.
        return Posting.parse({"id": "posting", **text}).text()
    return text


def scored_text(text: str) -> str:
    """Return ``text`` as the heads read it; a text of salary figures alone stays as it is."""
    if not isinstance(text, str):
        raise InvalidInput("text", f"must be text, not {type(text).__name__}")
    return strip_salary(text) or text


def _check(array: FloatArray, field: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InvalidInput(field, f"must have shape {shape}, not {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidInput(field, "must not hold NaN or infinity")

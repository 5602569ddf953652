"""Predictions for texts: one pass of the encoder, then all heads at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import FloatArray, Runner, run_directly
from jobsentinel_workers.multi_task.answers import Prediction, to_answers
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.salary_text import strip_salary

MATCH_TASK = "match_quality"


class MultiTaskPredictor:
    """Answers every trained task about texts.

    Salary figures are taken out of a text before it is encoded, as they were in training: the
    salary head judges the job, not the number its posting states.

    Example:
        >>> predictor = MultiTaskPredictor(create_job_matching_model())
        >>> predictor.predict("Registered nurse, night shift")["job_category"]["class"]
        'healthcare'
    """

    def __init__(self, model: MultiTaskBERT, runner: Runner = run_directly) -> None:
        self.model = model
        self.runner = runner

    def predict(self, text: str, profile: str | None = None) -> Prediction:
        """Return the answers about one text, by task.

        Raises:
            InvalidInput: the text or the profile is empty or no string.
        """
        return self.predict_batch([text], profile)[0]

    def predict_batch(self, texts: Sequence[str], profile: str | None = None) -> list[Prediction]:
        """Return the answers about each of ``texts``, and their match with ``profile`` if given."""
        if not texts:
            return []
        own = None if profile is None else self.get_embedding([profile])[0]
        scored = [scored_text(text) for text in texts]
        embeddings = self.runner(self.model.encoder, scored)
        return self.predict_from_embeddings(embeddings, own, scored)

    def get_embedding(self, texts: Sequence[str]) -> FloatArray:
        """Return (n, d) float32 embeddings of length 1, the ones the heads read."""
        return self.runner(self.model.encoder, [scored_text(text) for text in texts])

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
        for name in self.model.calibrations:
            raw, calibration = self.calibrated(embeddings, name, texts)
            answers = to_answers(self.model.tasks[name], raw, calibration)
            for prediction, answer in zip(predictions, answers, strict=True):
                prediction[name] = answer
        return predictions

    def calibrated(
        self, embeddings: FloatArray, name: str, texts: Sequence[str] | None = None
    ) -> tuple[npt.NDArray[np.float64], Calibration]:
        """Return the outputs of task ``name``, (n, output_dim), and the calibration they need."""
        raw = self.raw_outputs(embeddings, name)
        joined = self.model.joined_calibrations.get(name)
        if joined is None or texts is None:
            return raw, self.model.calibrations[name]
        words = self.model.word_models[name].logits(texts)
        return joined.join(raw, words), joined.calibration

    def _add_match(
        self, predictions: list[Prediction], profile: FloatArray, embeddings: FloatArray
    ) -> None:
        if not self.model.pair_scorer.trained:
            return
        scores = self.model.pair_scorer.score(profile, embeddings).tolist()
        for prediction, score in zip(predictions, scores, strict=True):
            learnt = prediction.get(MATCH_TASK)
            # What the user's labels taught and what the profile says count alike.
            value = score if learnt is None else (score + learnt["value"]) / 2
            prediction[MATCH_TASK] = {"value": value}


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

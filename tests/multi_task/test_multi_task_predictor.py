"""Predictions from texts and from embeddings that are already there."""

from __future__ import annotations

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    create_job_matching_model,
)


@pytest.fixture
def predictor(tiny_encoder: TextEncoder) -> MultiTaskPredictor:
    model = create_job_matching_model(tiny_encoder, pretrained=False)
    rows = [
        MultiTaskExample(f"{text} {n}", {"scam_detection": text == "prize", "match_quality": score})
        for n in range(20)
        for text, score in (("prize", 0.1), ("nurse", 0.9))
    ]
    MultiTaskTrainer(model, epochs=20, learning_rate=3e-3).train(rows)
    return MultiTaskPredictor(model)


def test_embeddings_give_what_texts_give(predictor: MultiTaskPredictor) -> None:
    texts = ["nurse 1", "prize 2", "night shift"]

    from_texts = predictor.predict_batch(texts)
    embeddings = predictor.get_embedding(texts)

    assert embeddings.shape == (3, predictor.model.encoder.output_dim)
    assert predictor.predict_from_embeddings(embeddings) == from_texts


def test_a_prediction_does_not_depend_on_its_batch_mates(predictor: MultiTaskPredictor) -> None:
    texts = ["nurse", "prize " * 60, "a longer text about a nurse on a ward"]

    together = predictor.predict_batch(texts)

    for text, prediction in zip(texts, together, strict=True):
        alone = predictor.predict(text)["scam_detection"]["probability"]
        assert alone == pytest.approx(prediction["scam_detection"]["probability"], abs=1e-5)


def test_the_stated_salary_changes_nothing(predictor: MultiTaskPredictor) -> None:
    assert predictor.predict("Nurse, $300,000 a year") == predictor.predict("Nurse,")


def test_a_text_that_is_all_salary_is_still_scored(predictor: MultiTaskPredictor) -> None:
    assert "scam_detection" in predictor.predict("$5,000 per week")


def test_a_profile_counts_beside_what_labels_taught(predictor: MultiTaskPredictor) -> None:
    learnt = predictor.predict("nurse 1")["match_quality"]["value"]
    predictor.model.pair_scorer.trained = True

    same = predictor.predict("nurse 1", profile="nurse 1")["match_quality"]["value"]
    other = predictor.predict("nurse 1", profile="welding of pipes")["match_quality"]["value"]

    assert same != learnt
    assert 0 <= other < same <= 1


def test_no_texts_give_no_predictions(predictor: MultiTaskPredictor) -> None:
    assert predictor.predict_batch([]) == []


def test_an_empty_text_is_refused(predictor: MultiTaskPredictor) -> None:
    with pytest.raises(InvalidInput, match=r"texts\.1"):
        predictor.predict_batch(["nurse", " "])


@pytest.mark.parametrize(
    "embeddings", [np.zeros((2, 5)), np.full((2, 32), np.nan), np.zeros(32)], ids=str
)
def test_embeddings_that_do_not_fit_are_refused(
    predictor: MultiTaskPredictor, embeddings: np.ndarray
) -> None:
    with pytest.raises(InvalidInput, match="embeddings"):
        predictor.predict_from_embeddings(embeddings)


def test_two_tasks_of_one_name_are_refused(tiny_encoder: TextEncoder) -> None:
    task = create_job_matching_model(tiny_encoder, pretrained=False).tasks["scam_detection"]

    with pytest.raises(InvalidInput, match="own name"):
        MultiTaskBERT(tiny_encoder, [task, task])

"""Words as evidence beside the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
    TaskType,
    create_job_matching_model,
)
from jobsentinel_workers.multi_task.evidence import fit_word_weight
from jobsentinel_workers.multi_task.word_fitting import fit_word_model
from jobsentinel_workers.multi_task.words import WordModel, count_words

TEXTS = [f"{'wire money today' if n % 2 else 'nursing on a ward'} case {n}" for n in range(40)]
SCAM = Task("scam_detection", TaskType.BINARY)
TARGETS = np.array([float(n % 2) for n in range(40)])


@pytest.fixture(scope="module")
def words() -> WordModel:
    return fit_word_model(SCAM, TEXTS, TARGETS)


def logits(words: WordModel, texts: Sequence[str]) -> np.ndarray:
    return words.outputs(count_words(texts))[:, 0]


@pytest.fixture
def model(tiny_encoder: TextEncoder, words: WordModel) -> MultiTaskBERT:
    model = create_job_matching_model(tiny_encoder, pretrained=False)
    model.word_models["scam_detection"] = words
    rows = [
        MultiTaskExample(text, {"scam_detection": bool(target)})
        for text, target in zip(TEXTS, TARGETS, strict=True)
    ]
    MultiTaskTrainer(model, epochs=3).train(rows)
    return model


def test_words_of_one_kind_are_told_from_the_other(words: WordModel) -> None:
    suspicious, harmless = logits(words, ["please wire money", "nursing on the ward"])

    assert suspicious > 0 > harmless


def test_a_logit_does_not_depend_on_the_other_texts(words: WordModel) -> None:
    together = logits(words, TEXTS[:5])

    alone = np.concatenate([logits(words, [text]) for text in TEXTS[:5]])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_links_count_as_links_however_they_were_masked(words: WordModel) -> None:
    masked, real = logits(words, ["wire to #URL_1f2e#", "wire to https://example.org/a?b=1"])

    assert masked == real


@pytest.mark.parametrize("text", ["", "🚚", "word " * 100_000, "\n" * 1_000])
def test_any_text_has_a_logit(words: WordModel, text: str) -> None:
    assert np.isfinite(logits(words, [text])).all()


def test_words_that_know_nothing_get_no_weight() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random(500) < 0.5).astype(float)
    good, noise = targets * 2 - 1 + rng.normal(size=500), rng.normal(size=500)

    def weight(head: np.ndarray, words: np.ndarray) -> float:
        return fit_word_weight(SCAM, head[:, None], words[:, None], targets, np.ones(500))

    assert weight(good, noise) < 0.2
    assert weight(noise, good) > 5


def test_texts_beside_embeddings_give_what_texts_alone_give(model: MultiTaskBERT) -> None:
    predictor = MultiTaskPredictor(model)
    texts = ["wire money today", "nursing on a ward"]
    embeddings = predictor.get_embedding(texts)

    assert predictor.predict_from_embeddings(embeddings, texts=texts) == (
        predictor.predict_batch(texts)
    )
    by_head_alone = predictor.predict_from_embeddings(embeddings)
    assert by_head_alone != predictor.predict_batch(texts)


def test_words_and_their_weight_are_saved(model: MultiTaskBERT, tmp_path: Path) -> None:
    loaded = MultiTaskBERT.load(model.save(tmp_path / "model"), model.encoder)

    assert loaded.model_id == model.model_id
    assert MultiTaskPredictor(loaded).predict_batch(TEXTS[:4]) == (
        MultiTaskPredictor(model).predict_batch(TEXTS[:4])
    )


def test_texts_must_be_as_many_as_embeddings(model: MultiTaskBERT) -> None:
    predictor = MultiTaskPredictor(model)

    with pytest.raises(InvalidInput, match="1 for 2"):
        predictor.predict_from_embeddings(np.zeros((2, 32), dtype=np.float32), texts=["one"])

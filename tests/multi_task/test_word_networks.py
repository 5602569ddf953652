"""Networks over words and embedding, for values that depend on both."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
    TaskType,
    TrainingStopped,
)
from jobsentinel_workers.multi_task.word_network_fitting import fit_word_networks
from jobsentinel_workers.multi_task.word_networks import WordNetworks, gelu
from jobsentinel_workers.multi_task.words import count_words, to_codes

PAY = Task("pay", TaskType.QUANTILE, transform="log", words="titled")
TITLES = ("nurse", "teacher", "lawyer", "driver")
TOWNS = ("springfield", "shelbyville", "ogdenville", "brockway")


def pay(title: int, town: int) -> float:
    """What a title is worth depends on the town: no sum over words says that."""
    return 1.0 if (title + town) % 2 else -1.0


PLACES = list(itertools.product(range(4), range(4)))
ROUNDS = 80
"""What a trainer learns from of so many is just enough for networks, which need 1,000 labels."""
# Never side by side, where a pair of words would say it.
TEXTS = [f"{TITLES[a]}\ncase {n} {TOWNS[b]}" for n in range(ROUNDS) for a, b in PLACES]
TARGETS = np.array([pay(a, b) for _ in range(ROUNDS) for a, b in PLACES])


def no_embeddings(count: int) -> np.ndarray:
    return np.zeros((count, 4), dtype=np.float32)


def fit(count: int = len(TEXTS), seed: int = 0) -> WordNetworks:
    return fit_word_networks(
        PAY,
        TEXTS[:count],
        no_embeddings(count),
        TARGETS[:count],
        seed=seed,
        before_epoch=lambda: None,
    )


@pytest.fixture(scope="module")
def networks() -> WordNetworks:
    return fit()


def answers(networks: WordNetworks, texts: list[str]) -> np.ndarray:
    return networks.outputs(count_words(texts), no_embeddings(len(texts)))[:, 0]


def test_networks_learn_what_no_sum_over_words_can_say(networks: WordNetworks) -> None:
    texts = [f"{TITLES[a]}\nsomewhere {TOWNS[b]}" for a, b in PLACES]

    found = answers(networks, texts)

    wanted = np.array([pay(a, b) for a, b in PLACES])
    assert (np.sign(found) == wanted).all()


def test_the_same_seed_gives_the_same_networks() -> None:
    first, again, other = fit(count=160), fit(count=160), fit(count=160, seed=9)

    np.testing.assert_array_equal(again.codes, first.codes)
    np.testing.assert_array_equal(again.hidden, first.hidden)
    assert not np.array_equal(other.codes, first.codes)


def test_an_answer_does_not_depend_on_the_other_texts(networks: WordNetworks) -> None:
    together = answers(networks, TEXTS[:6])

    alone = np.concatenate([answers(networks, [text]) for text in TEXTS[:6]])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_texts_without_a_known_word_get_a_finite_answer(networks: WordNetworks) -> None:
    assert np.isfinite(answers(networks, ["zebra", "?"])).all()


def test_vectors_are_kept_to_half_a_step() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)

    codes, step = to_codes(vectors)

    assert codes.dtype == np.int8
    assert (np.abs(codes * step - vectors) <= step / 2 + 1e-6).all()


def test_gelu_is_torchs() -> None:
    values = np.linspace(-4, 4, 41)

    expected = torch.nn.functional.gelu(torch.from_numpy(values)).numpy()

    np.testing.assert_allclose(gelu(values), expected, atol=1e-12)


def test_fitting_can_be_stopped() -> None:
    calls = 0

    def stop_at_the_second() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise TrainingStopped

    with pytest.raises(TrainingStopped):
        fit_word_networks(
            PAY, TEXTS, no_embeddings(len(TEXTS)), TARGETS, seed=0, before_epoch=stop_at_the_second
        )


def rows() -> list[MultiTaskExample]:
    return [
        MultiTaskExample(text, {"pay": 50_000 * 2.0**target})
        for text, target in zip(TEXTS, TARGETS, strict=True)
    ]


@pytest.fixture(scope="module", params=["head", "top2"])
def trained(request: pytest.FixtureRequest, deep_encoder_path: Path) -> MultiTaskBERT:
    """A model of pay with its networks, which a test must leave as it is."""
    encoder = TextEncoder.load(deep_encoder_path, precision="fp32", max_tokens=64)
    model = MultiTaskBERT(encoder, [PAY], "title")
    MultiTaskTrainer(model, request.param, epochs=1).train(rows())
    return model


def test_training_fits_networks_and_a_saved_model_has_them(
    trained: MultiTaskBERT, deep_encoder: TextEncoder, tmp_path: Path
) -> None:
    texts = ["nurse\ncase 1 springfield", "nurse\ncase 1 shelbyville"]

    before = MultiTaskPredictor(trained).predict_batch(texts)

    loaded = MultiTaskBERT.load(trained.save(tmp_path / "model"), deep_encoder)
    assert MultiTaskPredictor(loaded).predict_batch(texts) == before
    assert trained.joined_calibrations["pay"].network_share > 0.5
    assert before[0]["pay"]["value"] < 40_000
    assert before[1]["pay"]["value"] > 60_000


def test_few_labels_fit_no_networks(tiny_encoder: TextEncoder) -> None:
    model = MultiTaskBERT(tiny_encoder, [PAY])

    MultiTaskTrainer(model, epochs=1).train(rows()[:400])

    assert "pay" in model.word_models
    assert not model.word_networks


def test_networks_go_with_the_encoder_that_they_were_fitted_over(
    trained: MultiTaskBERT, deep_encoder: TextEncoder, tmp_path: Path
) -> None:
    model = MultiTaskBERT.load(trained.save(tmp_path / "model"), deep_encoder)
    model.add_task(Task("scam", TaskType.BINARY))
    assert "pay" in model.word_networks

    other = [MultiTaskExample(f"text {n}", {"scam": n % 2 == 0}) for n in range(24)]
    MultiTaskTrainer(model, "top2", epochs=1).train(other)

    assert not model.word_networks
    assert "pay" not in MultiTaskPredictor(model).predict("nurse")


def test_networks_read_the_embedding_too(deep_encoder: TextEncoder) -> None:
    texts = [f"{'ward' if n % 2 else 'court'} {n}" for n in range(200)]
    embeddings = run_directly(deep_encoder, texts)
    targets = embeddings[:, 3].astype(np.float64) * 10
    targets -= targets.mean()
    networks = fit_word_networks(PAY, texts, embeddings, targets, seed=0, before_epoch=lambda: None)

    counts = count_words(texts)
    read = networks.outputs(counts, embeddings)
    blind = networks.outputs(counts, np.zeros_like(embeddings))

    assert not np.allclose(read, blind)


@pytest.mark.parametrize("kind", [TaskType.CLASSIFICATION, TaskType.MULTILABEL])
def test_classes_that_depend_on_two_words_are_learnt_too(
    tiny_encoder: TextEncoder, kind: TaskType
) -> None:
    task = Task("shift", kind, classes=("day", "night"), words="titled")
    model = MultiTaskBERT(tiny_encoder, [task])
    labelled = [
        MultiTaskExample(text, {"shift": "day" if target > 0 else "night"})
        for text, target in zip(TEXTS, TARGETS, strict=True)
    ]

    MultiTaskTrainer(model, epochs=1).train(labelled)

    texts = [f"{TITLES[a]}\nsomewhere {TOWNS[b]}" for a, b in PLACES]
    found = [answer["shift"]["class"] for answer in MultiTaskPredictor(model).predict_batch(texts)]
    assert found == ["day" if pay(a, b) > 0 else "night" for a, b in PLACES]

"""Every type of task trains, answers, is saved, and says what is known of its answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel.contract.postings import Posting
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
from jobsentinel_workers.multi_task.answers import to_numbers
from jobsentinel_workers.multi_task.calibrating import calibrate, calibrate_jointly
from jobsentinel_workers.multi_task.calibration import fit_threshold
from jobsentinel_workers.multi_task.evidence import join
from jobsentinel_workers.multi_task.losses import make_loss

SIZE = Task("company_size", TaskType.CLASSIFICATION, classes=("small", "large"))
TAGS = Task("tags", TaskType.MULTILABEL, classes=("night", "day", "remote"), words="titled")
YEARS = Task("years", TaskType.REGRESSION, unit="years", minimum=0.0)
PAY = Task("pay", TaskType.QUANTILE, transform="log", unit="USD a year", words="titled")
KINDS = {
    "registered nurse in a hospital ward": ("small", ("night",), 2.0, 60_000.0),
    "attorney for contract law": ("large", ("day", "remote"), 8.0, 140_000.0),
}


@pytest.fixture(scope="module")
def trained(tiny_encoder_path: Path) -> MultiTaskBERT:
    torch.manual_seed(0)
    model = MultiTaskBERT(TextEncoder.load(tiny_encoder_path), [SIZE, TAGS])
    for task in (YEARS, PAY):
        model.add_task(task)
    rows = [
        MultiTaskExample(
            f"{text}, vacancy {n}",
            {"company_size": size, "tags": tags, "years": years, "pay": pay * (1 + n % 7 / 50)},
        )
        for n in range(160)
        for text, (size, tags, years, pay) in [list(KINDS.items())[n % 2]]
    ]
    MultiTaskTrainer(model, epochs=40, learning_rate=3e-3, seed=1).train(rows)
    return model


def test_a_task_added_by_configuration_answers_like_the_others(trained: MultiTaskBERT) -> None:
    nurse, attorney = MultiTaskPredictor(trained).predict_batch([f"{text}, now" for text in KINDS])

    assert (nurse["company_size"]["class"], attorney["company_size"]["class"]) == ("small", "large")
    assert nurse["tags"]["classes"] == ["night"]
    assert set(attorney["tags"]["classes"]) == {"day", "remote"}
    assert nurse["years"]["value"] < 5.0 < attorney["years"]["value"]
    assert nurse["years"]["unit"] == "years"
    assert attorney["pay"]["value"] == pytest.approx(145_000, rel=0.2)


def test_an_interval_holds_its_value_and_is_equally_wide_for_a_regression(
    trained: MultiTaskBERT,
) -> None:
    nurse, attorney = MultiTaskPredictor(trained).predict_batch(list(KINDS))

    for answer in (nurse, attorney):
        for name in ("years", "pay"):
            assert answer[name]["low"] <= answer[name]["value"] <= answer[name]["high"]
    widths = [answer["years"]["high"] - answer["years"]["value"] for answer in (nurse, attorney)]
    assert widths[0] == pytest.approx(widths[1], abs=1e-6)


def test_words_are_fitted_where_a_task_asks_for_them(trained: MultiTaskBERT) -> None:
    assert set(trained.word_models) == {"tags", "pay"}
    assert set(trained.joined_calibrations) == {"tags", "pay"}


def test_all_types_are_saved_and_loaded(trained: MultiTaskBERT, tmp_path: Path) -> None:
    loaded = MultiTaskBERT.load(trained.save(tmp_path / "model"))

    assert loaded.model_id == trained.model_id
    assert loaded.tasks == trained.tasks
    texts = list(KINDS)
    assert MultiTaskPredictor(loaded).predict_batch(texts) == (
        MultiTaskPredictor(trained).predict_batch(texts)
    )


def test_a_task_of_the_same_name_must_be_the_same(trained: MultiTaskBERT) -> None:
    trained.add_task(SIZE)

    with pytest.raises(InvalidInput, match=r"tasks\.company_size"):
        trained.add_task(Task("company_size", TaskType.BINARY))


def test_a_posting_is_predicted_as_its_text(trained: MultiTaskBERT) -> None:
    predictor = MultiTaskPredictor(trained)
    posting = Posting(id="1", title="Nurse", location="Boston", description="Night shift.")

    by_text = predictor.predict(posting.text())

    assert predictor.predict(posting) == by_text
    assert (
        predictor.predict({"title": "Nurse", "location": "Boston", "description": "Night shift."})
        == by_text
    )


@pytest.mark.parametrize("posting", [{"colour": "red"}, {"title": 3}, {}])
def test_a_mapping_that_is_no_posting_is_refused(
    trained: MultiTaskBERT, posting: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        MultiTaskPredictor(trained).predict(posting)


def test_one_string_is_not_taken_for_a_sequence_of_texts(trained: MultiTaskBERT) -> None:
    with pytest.raises(InvalidInput, match="not one string"):
        MultiTaskPredictor(trained).predict_batch("nurse")


def test_an_interval_of_a_regression_holds_eight_in_ten_unseen_values() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4_000) * 3 + 7
    outputs = ((truth + rng.normal(size=4_000) - 7) / 3)[:, None]
    loss = make_loss(YEARS, truth)

    calibration = calibrate(YEARS, loss, outputs[:2_000], truth[:2_000])
    numbers = to_numbers(
        Task("free", TaskType.REGRESSION),
        (outputs[2_000:] * 3 + 7 - loss.centre) / loss.unit,
        calibration,
    )

    inside = (truth[2_000:] >= numbers[:, 0]) & (truth[2_000:] <= numbers[:, 2])
    assert inside.mean() == pytest.approx(0.8, abs=0.04)


def test_the_better_of_head_and_words_gets_the_weight_for_a_value() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=500) + 11
    task = Task("pay", TaskType.QUANTILE)
    loss = make_loss(task, truth)
    good = (truth[:, None] - loss.centre) / loss.unit
    quantiles = np.concatenate([good - 1, good, good + 1], axis=1)
    noise = rng.normal(size=(500, 3)).cumsum(axis=1)

    bad_head = calibrate_jointly(task, loss, noise, truth[:, None], truth)
    good_head = calibrate_jointly(task, loss, quantiles, rng.normal(size=(500, 1)) + 11, truth)

    assert bad_head.word_weight > 0.95
    assert good_head.word_weight < 0.05
    joined = join(task, noise, truth[:, None], bad_head)
    np.testing.assert_allclose(joined[:, 1], good[:, 0], atol=0.2)


def test_a_threshold_can_be_chosen_for_a_precision() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random(2_000) < 0.3).astype(float)
    probabilities = np.clip(rng.normal(size=2_000) * 0.2 + 0.3 + 0.3 * targets, 0, 1)

    threshold = fit_threshold(probabilities, targets, np.ones(2_000), precision=0.9)

    answers = probabilities >= threshold
    assert targets[answers].mean() >= 0.9
    assert answers.sum() > 20


def test_a_precision_out_of_reach_gives_the_highest_there_is() -> None:
    probabilities = np.array([0.1, 0.4, 0.6, 0.9])
    targets = np.array([0.0, 1.0, 0.0, 0.0])

    threshold = fit_threshold(probabilities, targets, np.ones(4), precision=0.99)

    assert threshold == pytest.approx(0.25)


def test_the_job_model_takes_further_tasks(tiny_encoder: TextEncoder) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False)

    model.add_task(SIZE)

    assert set(model.heads) == {*model.tasks}
    assert "company_size" in model.tasks

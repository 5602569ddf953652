"""A user's own model comes before the gate as the scoring model does."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_models import DATE, SAME_SPEED

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
)
from jobsentinel_workers.fine_tuning.metrics import classification_metrics
from jobsentinel_workers.gate import Contender, GatePolicy, decide
from jobsentinel_workers.gate.own_models import judge_own_models
from jobsentinel_workers.multi_task.assessment import measure

TEXTS = {"care": "nurse hospital ward", "road": "driver truck haulage", "code": "python api"}


def class_rows(*labels: str, count: int = 12) -> JobMatchingDataset:
    return JobMatchingDataset.from_rows(
        {"text": f"{TEXTS[label]} number {number}", "label": label}
        for number in range(count)
        for label in labels
    )


def train(encoder: TextEncoder, rows: JobMatchingDataset) -> FineTunedBERT:
    config = FineTuningConfig(task=rows.task, method="head", epochs=20, seed=0)
    model = FineTunedBERT(config, encoder)
    FineTuningTrainer(model, config).train(rows)
    return model


def test_models_of_different_classes_are_judged_over_all_of_them(encoder: TextEncoder) -> None:
    rows = class_rows("care", "road", "code")
    old, new = train(encoder, class_rows("care", "road")), train(encoder, rows)

    champion, challenger = judge_own_models([old, new], rows)

    assert champion.task == challenger.task
    assert champion.task.classes == ("care", "code", "road")
    assert (champion.answers[:, 1] == 0).all()
    truth, said = champion.targets.astype(int), champion.answers.argmax(axis=1)
    assert measure(champion)["accuracy"] == classification_metrics(truth, said)["accuracy"]


def test_an_own_model_that_learnt_a_new_class_is_promoted(encoder: TextEncoder) -> None:
    rows = class_rows("care", "road", "code", count=40)
    old, new = train(encoder, class_rows("care", "road")), train(encoder, rows)
    champion, challenger = judge_own_models([old, new], rows)

    verdict = decide(
        Contender("jobs@2", {"classification": challenger}),
        Contender("jobs@1", {"classification": champion}),
        trained=["classification"],
        latency=SAME_SPEED,
        date=DATE,
        # So short a training leaves the probabilities far too low, which is not the question here.
        policy=GatePolicy(resamples=200, max_calibration_loss=1.0),
    )

    assert verdict.promote, verdict.to_text()


def test_values_and_similarities_are_judged_without_intervals(encoder: TextEncoder) -> None:
    values = JobMatchingDataset.from_rows(
        {"text": f"{level} clerk {number}", "value": value}
        for number in range(10)
        for level, value in (("junior", 30_000), ("senior principal", 90_000))
    )
    pairs = JobMatchingDataset.from_rows(
        {"text_a": f"{one} {number}", "text_b": f"{other} opening", "score": score}
        for number in range(10)
        for one, other, score in (("nurse", "ward sister", 0.9), ("nurse", "truck", 0.1))
    )

    for rows in (values, pairs):
        [judged] = judge_own_models([train(encoder, rows)], rows)

        assert judged.task.name == rows.task
        assert np.array_equal(judged.targets, rows.numbers())
        assert np.array_equal(judged.answers[:, 0], judged.answers[:, 2])


def test_a_model_of_another_kind_is_refused(encoder: TextEncoder) -> None:
    model = train(encoder, class_rows("care", "road"))
    values = JobMatchingDataset.from_rows(
        {"text": f"clerk {number}", "value": number} for number in range(20)
    )

    with pytest.raises(InvalidInput, match="models: must be of the kind regression"):
        judge_own_models([model], values)

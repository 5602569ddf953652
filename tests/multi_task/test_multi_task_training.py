"""Heads learn from incomplete labels, and only trained ones answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_rows import make_rows

from jobsentinel.contract.errors import ConfigurationError, InvalidInput, ModelUnavailable
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskExample,
    MultiTaskPredictor,
    MultiTaskTrainer,
    Task,
    TaskType,
    create_job_matching_model,
    losses,
)
from jobsentinel_workers.multi_task.run_control import Progress


@pytest.fixture
def model(tiny_encoder: TextEncoder) -> MultiTaskBERT:
    torch.manual_seed(0)
    return create_job_matching_model(tiny_encoder, pretrained=False)


@pytest.fixture
def trained(model: MultiTaskBERT) -> MultiTaskBERT:
    MultiTaskTrainer(model, epochs=40, learning_rate=3e-3, seed=1).train(make_rows())
    return model


def test_trained_heads_answer_and_others_stay_silent(trained: MultiTaskBERT) -> None:
    prediction = MultiTaskPredictor(trained).predict("registered nurse in a hospital ward")

    assert set(prediction) == {"job_category", "salary_prediction", "scam_detection"}
    assert prediction["job_category"]["class"] == "healthcare"
    assert sum(prediction["job_category"]["probabilities"].values()) == pytest.approx(1.0)
    salary = prediction["salary_prediction"]
    assert salary["low"] <= salary["value"] <= salary["high"]
    assert salary["value"] == pytest.approx(70_000, rel=0.3)
    assert prediction["scam_detection"]["prediction"] is False


def test_an_untrained_model_answers_nothing(model: MultiTaskBERT) -> None:
    assert MultiTaskPredictor(model).predict("nurse", profile="nurse") == {}


def test_metrics_are_numbers_by_task(model: MultiTaskBERT) -> None:
    metrics = MultiTaskTrainer(model, epochs=30, learning_rate=3e-3).train(make_rows())

    assert metrics["job_category_accuracy"] > 0.8
    assert {"salary_prediction_mdape", "salary_prediction_coverage"} <= set(metrics)
    assert {"scam_detection_pr_auc", "scam_detection_pr_auc_at_base_rate"} <= set(metrics)
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_same_seed_gives_the_same_weights(tiny_encoder: TextEncoder) -> None:
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        model = create_job_matching_model(tiny_encoder, pretrained=False)
        MultiTaskTrainer(model, epochs=3, seed=9).train(make_rows())
        found.append(model.model_id)

    assert found[0] == found[1]


def test_a_missing_label_changes_no_head(tiny_encoder: TextEncoder) -> None:
    found = []
    for extra in ([], [MultiTaskExample("baker of bread", {"job_category": None})]):
        torch.manual_seed(5)
        model = create_job_matching_model(tiny_encoder, pretrained=False)
        trainer = MultiTaskTrainer(model, epochs=2, seed=9)
        trainer.train([*make_rows(30), *extra], make_rows(12))
        found.append(model.model_id)

    assert found[0] == found[1]


def test_losses_count_only_labelled_rows() -> None:
    task = Task("value", TaskType.QUANTILE)
    loss = losses.make_loss(task, np.array([1.0, 2.0, 3.0, np.nan]))
    outputs = torch.zeros(3, 3)

    full = loss(outputs[:2], torch.tensor([1.0, 3.0]))
    masked = loss(outputs, torch.tensor([1.0, float("nan"), 3.0]))

    assert masked is not None
    assert full == masked
    assert loss(outputs, torch.full((3,), float("nan"))) is None


def test_a_constant_answer_costs_one(tiny_encoder: TextEncoder) -> None:
    targets = np.array([0.0, 1.0, 2.0, 3.0, 4.0] * 20)
    loss = losses.make_loss(Task("value", TaskType.QUANTILE), targets)
    constant = (np.quantile(targets, [0.1, 0.5, 0.9]) - loss.centre) / loss.unit

    outputs = torch.tensor(constant, dtype=torch.float32).expand(len(targets), 3)

    assert loss(outputs, torch.tensor(targets, dtype=torch.float32)) == pytest.approx(1.0)


def test_a_saved_model_predicts_the_same(trained: MultiTaskBERT, tmp_path: Path) -> None:
    trained.save(tmp_path / "model")

    loaded = MultiTaskBERT.load(tmp_path / "model")

    texts = ["attorney", "nurse in a ward"]
    assert loaded.model_id == trained.model_id
    assert MultiTaskPredictor(loaded).predict_batch(texts) == (
        MultiTaskPredictor(trained).predict_batch(texts)
    )


def test_a_loaded_model_shares_the_encoder_it_is_given(
    trained: MultiTaskBERT, tmp_path: Path
) -> None:
    trained.save(tmp_path / "model")

    loaded = MultiTaskBERT.load(tmp_path / "model", trained.encoder)

    assert loaded.encoder is trained.encoder


def test_an_encoder_with_other_weights_is_refused(
    trained: MultiTaskBERT, tiny_encoder_path: Path, tmp_path: Path
) -> None:
    trained.save(tmp_path / "model")

    with pytest.raises(ModelUnavailable, match="max_tokens"):
        MultiTaskBERT.load(tmp_path / "model", TextEncoder.load(tiny_encoder_path, max_tokens=32))


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_a_damaged_folder_is_refused(trained: MultiTaskBERT, tmp_path: Path, damage: str) -> None:
    folder = trained.save(tmp_path / "model")
    (folder / damage).write_bytes(b"\x00garbage")

    with pytest.raises(ModelUnavailable):
        MultiTaskBERT.load(folder)


def test_full_training_changes_the_encoder_and_is_saved_with_it(
    model: MultiTaskBERT, tmp_path: Path
) -> None:
    before = model.encoder.model_id

    trainer = MultiTaskTrainer(model, "full", epochs=5, learning_rate=1e-3, seed=1)
    metrics = trainer.train(make_rows())
    model.save(tmp_path / "model")
    loaded = MultiTaskBERT.load(tmp_path / "model")

    assert metrics["job_category_accuracy"] > 0.5
    assert model.encoder.model_id != before
    assert loaded.encoder.model_id == model.encoder.model_id
    text = "attorney for contract law"
    assert MultiTaskPredictor(loaded).predict(text) == MultiTaskPredictor(model).predict(text)


def test_full_training_silences_heads_that_no_longer_fit(trained: MultiTaskBERT) -> None:
    rows = [
        MultiTaskExample(row.text, {"scam_detection": row.labels["scam_detection"]})
        for row in make_rows(24)
    ]

    MultiTaskTrainer(trained, "full", epochs=1).train(rows)

    assert trained.trained_tasks == {"scam_detection"}


def test_progress_rises_to_one(model: MultiTaskBERT) -> None:
    seen: list[Progress] = []

    MultiTaskTrainer(model, epochs=3, patience=9, on_progress=seen.append).train(make_rows(24))

    fractions = [progress["fraction"] for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_embeddings_of_a_stopped_run_are_not_computed_again(
    model: MultiTaskBERT, tmp_path: Path
) -> None:
    MultiTaskTrainer(model, epochs=1, run_directory=tmp_path).train(make_rows(24))

    def fail(*_: object) -> np.ndarray:
        raise AssertionError("embedded again")

    MultiTaskTrainer(model, epochs=1, run_directory=tmp_path, runner=fail).train(make_rows(24))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "at least one"),
        ([MultiTaskExample("nurse", {"job_category": "healthcare"})] * 20, "teach nothing"),
        ([MultiTaskExample(f"job {n}", {"colour": "red"}) for n in range(20)], "colour"),
        ([MultiTaskExample(f"job {n}", {"job_category": "pilot"}) for n in range(20)], "rows.0"),
    ],
)
def test_rows_that_teach_nothing_are_refused(
    model: MultiTaskBERT, rows: list[MultiTaskExample], problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        MultiTaskTrainer(model).train(rows)


def test_a_task_with_too_few_labels_is_named_not_trained(model: MultiTaskBERT) -> None:
    rows = [
        MultiTaskExample(row.text, {"job_category": row.labels["job_category"]})
        for row in make_rows(30)
    ]
    rows.append(MultiTaskExample("prize draw", {"scam_detection": True}))

    metrics = MultiTaskTrainer(model, epochs=1).train(rows)

    assert metrics["scam_detection_skipped_labels"] == 1.0
    assert model.trained_tasks == {"job_category"}


def test_an_unknown_method_is_refused(model: MultiTaskBERT) -> None:
    with pytest.raises(ConfigurationError, match="head, top2, full, lora"):
        MultiTaskTrainer(model, "adapters")  # type: ignore[arg-type]  # wrong on purpose

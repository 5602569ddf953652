"""Training, interrupting, resuming: on a tiny encoder, for every task and method."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fine_tuning.training_runs import (
    PACE,
    Row,
    StopAfter,
    assert_same,
    config_of,
    train,
    weights_of,
)

from jobsentinel.contract.errors import ConfigurationError, InvalidInput, ModelCorrupted
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    FineTuningTrainer,
    JobMatchingDataset,
    Progress,
    TrainingInterrupted,
)


@pytest.mark.parametrize("method", ["head", "top2", "full", "lora"])
def test_classification_learns(class_rows: list[Row], encoder: TextEncoder, method: str) -> None:
    config = config_of(epochs=20, batch_size=8, **PACE[method])
    model, metrics = train(class_rows, config, encoder)

    accuracy, baseline = metrics.validation["accuracy"], metrics.baseline["accuracy"]
    assert accuracy is not None
    assert baseline is not None
    assert accuracy > 0.8 > baseline
    [answer] = model.predict_batch(["nurse hospital ward number 99"])
    assert answer["class"] == "care"
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert answer["probability"] == max(answer["probabilities"].values())


@pytest.mark.parametrize("method", ["head", "top2", "full", "lora"])
def test_regression_learns_in_the_unit_of_the_rows(
    value_rows: list[Row], encoder: TextEncoder, method: str
) -> None:
    config = config_of(task="regression", epochs=40, batch_size=8, **PACE[method])
    model, metrics = train(value_rows, config, encoder)
    assert metrics.validation["mae"] is not None
    assert metrics.baseline["mae"] is not None
    assert metrics.validation["mae"] < metrics.baseline["mae"] / 2
    low, high = model.predict_batch(["junior clerk 99", "senior principal clerk 99"])
    assert 20_000 < low["value"] < 50_000 < high["value"] < 120_000


@pytest.mark.parametrize("method", ["head", "top2", "full", "lora"])
def test_similarity_learns(pair_rows: list[Row], encoder: TextEncoder, method: str) -> None:
    config = config_of(task="similarity", epochs=30, batch_size=8, **PACE[method])
    model, metrics = train(pair_rows, config, encoder)
    assert metrics.validation["mae"] is not None
    assert metrics.baseline["mae"] is not None
    assert metrics.validation["mae"] < metrics.baseline["mae"]
    alike, unlike = model.predict_batch(
        [("nurse 3", "ward sister opening 50"), ("python 3", "kitchen chef opening 50")]
    )
    assert alike["value"] > unlike["value"] + 0.1
    embeddings = model.compute(model.prepare(["one text", "another"]))
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("task", "method"),
    [
        ("classification", "head"),
        ("classification", "top2"),
        ("regression", "full"),
        ("regression", "lora"),
        ("similarity", "top2"),
        ("similarity", "head"),
    ],
)
def test_an_interrupted_run_ends_like_an_undisturbed_one(
    request: pytest.FixtureRequest,
    encoder: TextEncoder,
    tmp_path: Path,
    task: str,
    method: str,
) -> None:
    fixture = {"classification": "class_rows", "regression": "value_rows"}.get(task, "pair_rows")
    rows: list[Row] = request.getfixturevalue(fixture)
    config = config_of(
        task=task, method=method, epochs=3, batch_size=8, learning_rate=1e-3,
        early_stopping_patience=9,
    )  # fmt: skip
    undisturbed, expected = train(rows, config, encoder)

    for step in (1, 4, 8):
        stop = StopAfter(step)
        with pytest.raises(TrainingInterrupted) as caught:
            train(
                rows, config, encoder,
                run_directory=tmp_path / "run", on_progress=stop.watch, should_stop=stop,
            )  # fmt: skip
        assert caught.value.step == step
        assert caught.value.checkpoint is not None
        assert caught.value.checkpoint.is_dir()
    resumed, metrics = train(rows, config, encoder, run_directory=tmp_path / "run")

    assert_same(weights_of(resumed), weights_of(undisturbed))
    assert metrics.validation == pytest.approx(expected.validation, rel=1e-4)
    assert metrics.baseline == expected.baseline
    assert [epoch.epoch for epoch in metrics.history] == [epoch.epoch for epoch in expected.history]
    assert metrics.steps == expected.steps


def test_a_crash_goes_on_from_the_last_checkpoint(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = config_of(method="top2", epochs=4, batch_size=8)
    undisturbed, _ = train(class_rows, config, encoder)

    def crash(progress: Progress) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(class_rows, config, encoder, run_directory=tmp_path / "run", on_progress=crash)
    seen: list[int] = []
    resumed, _ = train(
        class_rows, config, encoder,
        run_directory=tmp_path / "run", on_progress=lambda progress: seen.append(progress.step),
    )  # fmt: skip

    assert seen[0] == 5
    assert_same(weights_of(resumed), weights_of(undisturbed))


@pytest.mark.parametrize("kept", ["step-00000004", "best-00000004"])
def test_dying_while_a_checkpoint_is_written_leaves_the_one_before(
    class_rows: list[Row],
    encoder: TextEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: str,
) -> None:
    from jobsentinel_workers.fine_tuning import checkpoints

    publish, dying = checkpoints.publish_folder, kept.replace("4", "8")

    def die(staged: Path, destination: Path) -> None:
        if destination.name == dying:
            raise KeyboardInterrupt
        publish(staged, destination)

    config = config_of(method="head", epochs=4, batch_size=8, checkpoint_every_steps=2)
    undisturbed, _ = train(class_rows, config, encoder)
    monkeypatch.setattr(checkpoints, "publish_folder", die)
    with pytest.raises(KeyboardInterrupt):
        train(class_rows, config, encoder, run_directory=tmp_path / "run")
    assert (tmp_path / "run" / kept).is_dir()
    monkeypatch.undo()

    resumed, _ = train(class_rows, config, encoder, run_directory=tmp_path / "run")
    assert_same(weights_of(resumed), weights_of(undisturbed))
    assert not list((tmp_path / "run").glob(".*"))


def test_a_finished_run_answers_again_without_training(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = config_of(method="top2", epochs=2, batch_size=8)
    first, expected = train(class_rows, config, encoder, run_directory=tmp_path / "run")
    steps: list[Progress] = []
    second, metrics = train(
        class_rows, config, encoder, run_directory=tmp_path / "run", on_progress=steps.append
    )
    assert steps == []
    assert_same(weights_of(first), weights_of(second))
    assert metrics.validation == pytest.approx(expected.validation)
    assert metrics.history == expected.history


def test_the_last_two_checkpoints_and_the_best_are_kept(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = config_of(method="head", epochs=5, batch_size=8, checkpoint_every_steps=2)
    train(class_rows, config, encoder, run_directory=tmp_path / "run")
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert len([name for name in names if name.startswith("step-")]) == 2
    assert 1 <= len([name for name in names if name.startswith("best-")]) <= 2
    suffixes = {path.suffix for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}


def interrupted_run(
    rows: list[Row], config: FineTuningConfig, encoder: TextEncoder, folder: Path
) -> None:
    stop = StopAfter(10)
    with pytest.raises(TrainingInterrupted):
        train(
            rows, config, encoder,
            run_directory=folder, on_progress=stop.watch, should_stop=stop,
        )  # fmt: skip


@pytest.mark.parametrize("file", ["weights.safetensors", "optimiser.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path, file: str
) -> None:
    config = config_of(method="head", epochs=4, batch_size=8)
    undisturbed, _ = train(class_rows, config, encoder)
    interrupted_run(class_rows, config, encoder, tmp_path / "run")
    (tmp_path / "run" / "step-00000010" / file).write_bytes(b"{}")

    resumed, _ = train(class_rows, config, encoder, run_directory=tmp_path / "run")
    assert_same(weights_of(resumed), weights_of(undisturbed))


def test_a_run_without_a_sound_checkpoint_is_reported(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = config_of(method="head", epochs=4, batch_size=8)
    interrupted_run(class_rows, config, encoder, tmp_path / "run")
    for folder in (tmp_path / "run").glob("step-*"):
        (folder / "weights.safetensors").unlink()
    with pytest.raises(ModelCorrupted, match="weights"):
        train(class_rows, config, encoder, run_directory=tmp_path / "run")


def test_a_run_directory_belongs_to_one_run(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = config_of(method="head", epochs=1)
    train(class_rows, config, encoder, run_directory=tmp_path / "run")
    for rows, other in ((class_rows[1:], config), (class_rows, config_of(method="head", epochs=2))):
        with pytest.raises(ConfigurationError, match="other settings"):
            train(rows, other, encoder, run_directory=tmp_path / "run")


def test_stopping_while_embedding_keeps_what_is_embedded(
    class_rows: list[Row],
    encoder: TextEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from jobsentinel_workers.fine_tuning import features

    monkeypatch.setattr(features, "CHUNK_TEXTS", 10)
    config = config_of(method="head", epochs=2)
    with pytest.raises(TrainingInterrupted) as caught:
        train(class_rows, config, encoder, run_directory=tmp_path / "run", should_stop=lambda: True)
    assert caught.value.step == 0
    assert len(list((tmp_path / "run" / "embeddings").iterdir())) == 1

    told: list[Progress] = []
    resumed, _ = train(
        class_rows, config, encoder, run_directory=tmp_path / "run", on_progress=told.append
    )
    embedding = [progress for progress in told if progress.phase == "embedding"]
    assert [progress.step for progress in embedding] == [10, 20, 30, 36]
    assert_same(weights_of(resumed), weights_of(train(class_rows, config, encoder)[0]))


def test_progress_tells_steps_epochs_loss_and_time_left(
    class_rows: list[Row], encoder: TextEncoder
) -> None:
    told: list[Progress] = []
    config = config_of(method="head", epochs=3, batch_size=8)
    _, metrics = train(class_rows, config, encoder, on_progress=told.append)
    training = [progress for progress in told if progress.phase == "training"]
    assert [progress.step for progress in training] == list(range(1, metrics.steps + 1))
    assert {progress.epoch for progress in training} == {1, 2, 3}
    assert training[-1].total_steps == metrics.steps
    assert training[-1].eta_s == 0
    assert all(progress.loss is not None and progress.eta_s >= 0 for progress in training)


def test_training_stops_when_validation_no_longer_improves(encoder: TextEncoder) -> None:
    rng = np.random.default_rng(0)
    noise = [
        {"text": f"text {at} {rng.integers(9999)}", "label": int(rng.integers(2))}
        for at in range(60)
    ]
    config = config_of(method="head", epochs=200, learning_rate=0.05, early_stopping_patience=3)
    model, metrics = train(noise, config, encoder)
    assert metrics.stopped_early
    assert len(metrics.history) == metrics.best_epoch + 3
    assert metrics.best_validation_loss == min(each.validation_loss for each in metrics.history)
    assert model.is_trained


def test_training_leaves_a_shared_encoder_and_the_random_state_alone(
    class_rows: list[Row], encoder: TextEncoder
) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.network.state_dict().items()}
    random_before = torch.get_rng_state()
    model, _ = train(class_rows, config_of(method="full", epochs=1), encoder)

    assert model.encoder is not encoder
    assert model.model_id.split("+", maxsplit=1)[0] != encoder.model_id
    for name, tensor in encoder.network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert torch.equal(torch.get_rng_state(), random_before)


def test_top2_changes_the_head_and_the_last_two_layers_only(
    class_rows: list[Row], encoder: TextEncoder
) -> None:
    model, _ = train(class_rows, config_of(method="top2", epochs=1), encoder)
    before = encoder.network.state_dict()
    changed = {
        name for name, tensor in model.encoder.network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }  # fmt: skip
    assert changed
    assert all(name.startswith(("encoder.layer.1.", "encoder.layer.2.")) for name in changed)


def test_a_given_validation_set_is_used_and_must_fit(
    class_rows: list[Row], value_rows: list[Row], encoder: TextEncoder
) -> None:
    config = config_of(method="head", epochs=1)
    trainer = FineTuningTrainer(FineTunedBERT(config, encoder), config)
    dataset = JobMatchingDataset.from_rows(class_rows)
    metrics = trainer.train(dataset, JobMatchingDataset.from_rows(class_rows[:9]))
    assert (metrics.train_rows, metrics.validation_rows) == (36, 9)

    unknown = [{"text": f"new {at}", "label": f"new {at % 2}"} for at in range(8)]
    with pytest.raises(InvalidInput, match="not trained on"):
        trainer.train(dataset, JobMatchingDataset.from_rows(unknown))
    with pytest.raises(InvalidInput, match="validation"):
        trainer.train(dataset, JobMatchingDataset.from_rows(value_rows))
    with pytest.raises(InvalidInput, match="train"):
        trainer.train(JobMatchingDataset.from_rows(value_rows))
    with pytest.raises(InvalidInput, match="config"):
        FineTuningTrainer(FineTunedBERT(config, encoder), config_of(method="full"))


def test_a_learning_rate_that_explodes_is_named(
    value_rows: list[Row], encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobsentinel_workers.fine_tuning import learner

    monkeypatch.setattr(learner, "MAX_GRADIENT_NORM", float("nan"))
    with pytest.raises(InvalidInput, match="learning_rate"):
        train(value_rows, config_of(task="regression", epochs=3), encoder)


def test_metrics_are_plain_values(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    import json

    _, metrics = train(class_rows, config_of(method="head", epochs=2), encoder)
    described = metrics.as_dict()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    shutil.rmtree(tmp_path)

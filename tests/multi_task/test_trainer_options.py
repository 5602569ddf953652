"""What the trainer's settings do, and which ones it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from training_rows import own_copy, trained_model

from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import MultiTaskTrainer
from jobsentinel_workers.multi_task.batches import steps_of_like_length
from jobsentinel_workers.multi_task.labelled_rows import shares_of_labels
from jobsentinel_workers.multi_task.model import create_job_matching_model
from jobsentinel_workers.multi_task.run_control import Progress
from jobsentinel_workers.multi_task.schedule import Schedule
from jobsentinel_workers.multi_task.weighting import UncertaintyWeighting, make_weighting


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"epochs": 0}, "epochs: must be a whole number from 1 to 1000, not 0"),
        ({"epochs": 2.5}, "epochs: must be a whole number"),
        ({"batch_size": -1}, "batch_size: must be a whole number from 1 to 1024, not -1"),
        ({"batch_size": True}, "batch_size: must be a whole number"),
        ({"seed": -1}, "seed: must be a whole number from 0"),
        ({"patience": "5"}, "patience: must be a whole number from 1 to 1000, not '5'"),
        ({"accumulate": 0}, "accumulate: must be a whole number from 1"),
        ({"learning_rate": 0.0}, "learning_rate: must be a number above 0 and at most 1, not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate: must be a number"),
        ({"max_gradient_norm": "1"}, "max_gradient_norm: must be a number above 0"),
        ({"validation_share": 1.0}, "validation_share: must be a number above 0 and at most 0.9"),
        ({"weighting": "fair"}, "weighting: must be one of equal, uncertainty, not 'fair'"),
        ({"class_weights": 2}, "class_weights: must be one of sqrt, balanced, none, not 2"),
        ({"method": "head", "weighting": "uncertainty"}, "weighting: must be equal for head"),
    ],
)
def test_settings_beyond_their_limits_are_refused(
    tiny_encoder: TextEncoder, settings: dict[str, Any], problem: str
) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False)

    with pytest.raises(InvalidInput, match=problem):
        MultiTaskTrainer(model, **{"method": "top2", **settings})


@pytest.mark.parametrize("settings", [{"method": "adapters"}, {"precision": "fp8"}])
def test_an_unknown_method_or_precision_is_refused(
    tiny_encoder: TextEncoder, settings: dict[str, Any]
) -> None:
    model = create_job_matching_model(tiny_encoder, pretrained=False)

    with pytest.raises(ConfigurationError, match="unknown; choose one of"):
        MultiTaskTrainer(model, **settings)


def without_dropout(encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> TextEncoder:
    from jobsentinel_workers.multi_task import heads

    monkeypatch.setattr(heads, "DROPOUT", 0.0)
    own = own_copy(encoder)
    for module in own.network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return own


@pytest.mark.parametrize("weighting", ["equal", "uncertainty"])
@pytest.mark.parametrize("method", ["top2", "full"])
def test_gathered_batches_make_the_step_of_one_large_batch(
    deep_encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch, method: str, weighting: str
) -> None:
    encoder = without_dropout(deep_encoder, monkeypatch)
    # Weighted means of classes are those of each batch, and differ.
    options = {"weighting": weighting, "class_weights": "none", "epochs": 2}

    large = trained_model(encoder, method, batch_size=8, **options)
    gathered = trained_model(encoder, method, batch_size=2, accumulate=4, **options)

    for name, weight in large.state_dict().items():
        torch.testing.assert_close(gathered.state_dict()[name], weight, atol=1e-5, rtol=1e-3)


def test_gathered_batches_of_heads_are_one_large_batch(tiny_encoder: TextEncoder) -> None:
    large = trained_model(tiny_encoder, "head", batch_size=8)
    gathered = trained_model(tiny_encoder, "head", batch_size=2, accumulate=4)

    assert gathered.model_id == large.model_id


def test_a_batch_counts_for_a_task_by_its_share_of_the_labels() -> None:
    known = {"a": np.array([True, True, True, False]), "b": np.zeros(4, dtype=bool)}

    shares = shares_of_labels([np.array([0, 1]), np.array([2, 3])], known)

    assert shares == [{"a": 2 / 3, "b": 0.0}, {"a": 1 / 3, "b": 0.0}]


def test_uncertainty_begins_with_equal_weights_and_learns() -> None:
    losses = {"easy": torch.tensor(0.1), "hard": torch.tensor(2.0)}
    weights = {"easy": 1.0, "hard": 2.0}
    equal, learnt = make_weighting("equal", weights), make_weighting("uncertainty", weights)
    shares = {"easy": 1.0, "hard": 1.0}

    loss = learnt(losses, shares)
    loss.backward()

    assert float(loss.detach()) == pytest.approx(float(equal(losses, shares)))
    assert isinstance(learnt, UncertaintyWeighting)
    # d/ds of weight * (exp(-s) loss + s / 2) at s = 0
    assert float(learnt.log_variances["easy"].grad) == pytest.approx(0.5 - 0.1)
    assert float(learnt.log_variances["hard"].grad) == pytest.approx(2.0 * (0.5 - 2.0))


def test_a_task_without_labels_in_a_batch_moves_no_weight() -> None:
    weighting = UncertaintyWeighting({"here": 1.0, "absent": 1.0})

    weighting({"here": torch.tensor(1.0)}, {"here": 1.0, "absent": 0.0}).backward()

    assert weighting.log_variances["here"].grad is not None
    assert weighting.log_variances["absent"].grad is None


def test_uncertainty_changes_what_is_learnt(deep_encoder: TextEncoder) -> None:
    equal = trained_model(deep_encoder, "top2", learning_rate=1e-3)
    learnt = trained_model(deep_encoder, "top2", learning_rate=1e-3, weighting="uncertainty")

    assert equal.model_id != learnt.model_id
    assert learnt.state_dict().keys() == equal.state_dict().keys()


def schedule(batch_size: int, accumulate: int = 1, seed: int = 0) -> Schedule:
    return Schedule.of(
        "top2",
        epochs=None,
        batch_size=batch_size,
        learning_rate=None,
        seed=seed,
        patience=None,
        accumulate=accumulate,
        max_gradient_norm=1.0,
    )


@given(
    lengths=st.lists(st.integers(1, 128), min_size=1, max_size=300),
    batch_size=st.integers(1, 9),
    accumulate=st.integers(1, 3),
    epoch=st.integers(0, 5),
)
def test_every_epoch_has_every_row_once(
    lengths: list[int], batch_size: int, accumulate: int, epoch: int
) -> None:
    steps = steps_of_like_length(lengths, schedule(batch_size, accumulate), epoch)

    rows = [int(row) for step in steps for batch in step for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert all(len(step) <= accumulate for step in steps)
    assert all(len(batch) <= batch_size for step in steps for batch in step)


def padding(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    return float(1 - lengths.sum() / padded)


def test_texts_of_like_length_share_a_batch_in_an_order_of_each_epochs_own() -> None:
    lengths = np.random.default_rng(0).integers(8, 129, 2_000)
    unsorted = np.array_split(np.random.default_rng(1).permutation(2_000), 125)

    steps = steps_of_like_length(lengths.tolist(), schedule(16), epoch=0)
    again = steps_of_like_length(lengths.tolist(), schedule(16), epoch=0)
    other = steps_of_like_length(lengths.tolist(), schedule(16), epoch=1)

    batches = [batch for step in steps for batch in step]
    assert padding(lengths, unsorted) > 0.4
    assert padding(lengths, batches) < 0.05
    means = [lengths[batch].mean() for batch in batches]
    assert means != sorted(means)
    assert str(steps) == str(again) != str(other)


@pytest.mark.parametrize("method", ["head", "top2", "full", "lora"])
def test_progress_rises_to_one_and_tells_step_loss_and_epoch(
    deep_encoder: TextEncoder, method: str
) -> None:
    seen: list[Progress] = []

    trained_model(deep_encoder, method, on_progress=seen.append)

    fractions = [progress["fraction"] for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    trained = [progress for progress in seen if "epoch" in progress]
    assert trained[-1]["epoch"] == trained[-1]["epochs"] == 3.0
    assert all(np.isfinite(progress["loss"]) for progress in trained)
    assert method == "head" or trained[-1]["step"] == trained[-1]["total_steps"] == 9.0


def test_training_ends_when_validation_no_longer_improves(deep_encoder: TextEncoder) -> None:
    seen: list[Progress] = []

    # At this rate nothing moves enough to count as better.
    trained_model(
        deep_encoder, "full", epochs=50, patience=1, learning_rate=1e-9, on_progress=seen.append
    )

    assert max(progress.get("epoch", 0.0) for progress in seen) < 50
    assert seen[-1]["fraction"] == 1.0

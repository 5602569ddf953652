"""Similarity from pairs that belong together, and by the order of scored ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fine_tuning.training_runs import (
    PACE,
    Row,
    StopAfter,
    assert_same,
    config_of,
    train,
    weights_of,
)

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.fine_tuning import JobMatchingDataset, Progress, TrainingInterrupted


@pytest.fixture
def positive_rows() -> list[Row]:
    jobs = {
        "nurse": "ward sister", "driver": "truck haulage", "python": "software code",
        "chef": "kitchen cook", "lawyer": "court attorney", "tutor": "school teacher",
    }  # fmt: skip
    return [
        {"text_a": f"{a} {number}", "text_b": f"{b} opening {number}"}
        for number in range(6)
        for a, b in jobs.items()
    ]


def pair_config(method: str = "full", **settings: Any) -> Any:
    return config_of(task="similarity", batch_size=6, **(PACE[method] | settings))


@pytest.mark.parametrize("method", ["top2", "full", "lora"])
def test_pairs_without_scores_bring_partners_together(
    positive_rows: list[Row], encoder: TextEncoder, method: str
) -> None:
    _, metrics = train(positive_rows, pair_config(method, epochs=8), encoder)

    assert metrics.validation.keys() == {"hit_rate", "mrr"}
    assert (metrics.validation["mrr"] or 0) > (metrics.baseline["mrr"] or 1)


def test_scored_pairs_can_be_trained_by_their_order(
    pair_rows: list[Row], encoder: TextEncoder
) -> None:
    _, metrics = train(pair_rows, pair_config(epochs=8, pair_loss="cosent"), encoder)

    assert (metrics.validation["spearman"] or 0) >= (metrics.baseline["spearman"] or 1)
    assert metrics.history[-1].train_loss < metrics.history[0].train_loss


@pytest.mark.parametrize("kind", ["positive", "scored"])
def test_an_interrupted_run_ends_like_an_undisturbed_one(
    request: pytest.FixtureRequest, encoder: TextEncoder, tmp_path: Path, kind: str
) -> None:
    rows = request.getfixturevalue("positive_rows" if kind == "positive" else "pair_rows")
    options = {} if kind == "positive" else {"pair_loss": "cosent"}
    config = pair_config(epochs=3, checkpoint_every_steps=3, **options)
    losses: dict[int, float | None] = {}
    undisturbed, expected = train(
        rows, config, encoder, on_progress=lambda told: losses.update({told.step: told.loss})
    )

    # When it is stopped at its start, within an epoch, at an epoch's end, and once more
    again: dict[int, float | None] = {}
    steps_an_epoch = expected.steps // 3
    for step in (0, 1, steps_an_epoch, steps_an_epoch + 2):
        stop = StopAfter(step)

        def watch(told: Progress, stop: StopAfter = stop) -> None:
            again[told.step] = told.loss
            stop.watch(told)

        with pytest.raises(TrainingInterrupted) as caught:
            train(
                rows, config, encoder,
                run_directory=tmp_path / "run", on_progress=watch, should_stop=stop,
            )  # fmt: skip
        assert caught.value.step == step
    resumed, metrics = train(
        rows, config, encoder, run_directory=tmp_path / "run",
        on_progress=lambda told: again.update({told.step: told.loss}),
    )  # fmt: skip

    assert again == pytest.approx(losses, rel=1e-5)
    assert_same(weights_of(resumed), weights_of(undisturbed))
    assert metrics.validation == pytest.approx(expected.validation, rel=1e-4)
    assert metrics.baseline == pytest.approx(expected.baseline)
    assert metrics.history == expected.history
    suffixes = {path.suffix for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}


def test_a_broken_last_checkpoint_is_passed_over(
    positive_rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    config = pair_config(epochs=3, checkpoint_every_steps=2)
    undisturbed, _ = train(positive_rows, config, encoder)
    stop = StopAfter(5)
    with pytest.raises(TrainingInterrupted):
        train(
            positive_rows, config, encoder,
            run_directory=tmp_path / "run", on_progress=stop.watch, should_stop=stop,
        )  # fmt: skip

    (tmp_path / "run" / "step-00000005" / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    resumed, _ = train(positive_rows, config, encoder, run_directory=tmp_path / "run")

    assert_same(weights_of(resumed), weights_of(undisturbed))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"method": "head"}, "method"),
        ({"method": "full", "pair_loss": "cosent"}, "pair_loss"),
        ({"method": "full", "curriculum": "length"}, "curriculum"),
    ],
)
def test_options_that_pairs_without_scores_cannot_take_are_refused(
    positive_rows: list[Row], encoder: TextEncoder, options: Row, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        train(positive_rows, config_of(task="similarity", **options), encoder)
    assert caught.value.field == field


def test_pairs_that_all_share_a_text_are_refused(encoder: TextEncoder) -> None:
    rows = [{"text_a": "my profile", "text_b": f"posting {number}"} for number in range(20)]
    with pytest.raises(InvalidInput, match="share a text"):
        train(rows, pair_config(epochs=1), encoder)


def test_pairs_with_and_without_scores_are_not_mixed(
    positive_rows: list[Row], pair_rows: list[Row]
) -> None:
    with pytest.raises(InvalidInput, match=r"rows\.36\.score: has one, but rows\.0 has none"):
        JobMatchingDataset.from_rows([*positive_rows, *pair_rows])
    with pytest.raises(InvalidInput, match=r"rows\.32\.score: is missing, but rows\.0 has one"):
        JobMatchingDataset.from_rows([*pair_rows, *positive_rows])

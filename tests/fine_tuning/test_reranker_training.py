"""Fine-tuning a cross-encoder: from a BERT, from a reranker, resumed, saved, registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fine_tuning.training_runs import Row, StopAfter

from jobsentinel.contract.errors import InvalidInput, ModelUnavailable
from jobsentinel_workers.fine_tuning import (
    FineTuned,
    FineTuningConfig,
    JobMatchingDataset,
    Progress,
    TrainingInterrupted,
    train_fine_tuned,
)
from jobsentinel_workers.registry import ModelRegistry
from jobsentinel_workers.reranking import CrossEncoderReranker


@pytest.fixture
def ranked_rows() -> list[Row]:
    jobs = {"nurse": "hospital ward", "lorry": "truck haulage", "python": "software code"}
    return [
        {"query": f"{job} {number}", "text": f"{text} opening", "score": float(job == other)}
        for number in range(6)
        for job in jobs
        for other, text in jobs.items()
    ]


def config_of(folder: Path | str, **settings: Any) -> FineTuningConfig:
    defaults: Row = {
        "task": "reranker", "method": "lora", "epochs": 3, "batch_size": 9, "max_tokens": 32,
        "learning_rate": 3e-3, "precision": "fp32", "checkpoint_every_steps": 4,
        "base_encoder": str(folder),
    }  # fmt: skip
    return FineTuningConfig(**(defaults | settings))


def train(rows: list[Row], config: FineTuningConfig, **hooks: Any) -> FineTuned:
    return train_fine_tuned(config, JobMatchingDataset.from_rows(rows), **hooks)


def scores_of(trained: FineTuned, folder: Path) -> list[float]:
    reranker = CrossEncoderReranker.load(trained.save(folder), precision="fp32")
    return [float(each) for each in reranker.score("nurse 9", ["hospital ward", "truck haulage"])]


def test_a_bert_becomes_a_reranker_that_serves(
    ranked_rows: list[Row], tiny_folder: Path, tmp_path: Path
) -> None:
    trained = train(ranked_rows, config_of(tiny_folder, epochs=20))

    right, wrong = scores_of(trained, tmp_path / "saved")
    assert right > wrong
    assert trained.kind == "reranker"
    metrics = trained.metrics
    assert (metrics.validation["log_loss"] or 9) < (metrics.baseline["log_loss"] or 0)
    assert (metrics.validation["ndcg_at_10"] or 0) > 0.9


def test_a_reranker_is_trained_on_and_registered(
    ranked_rows: list[Row], tiny_folder: Path, tmp_path: Path
) -> None:
    first = train(ranked_rows, config_of(tiny_folder)).save(tmp_path / "first")

    second = train(ranked_rows, config_of(first, method="head"))

    registry = ModelRegistry(tmp_path / "models")
    registry.register("mine", second.save(tmp_path / "saved"), kind=second.kind, move=True)
    registry.promote("mine", 1)
    assert CrossEncoderReranker.load(registry.get("mine").path).score("a", ["b"]).shape == (1,)
    assert second.base.startswith(tiny_folder.name)


def test_the_starter_reranker_is_what_training_starts_from(
    ranked_rows: list[Row], tmp_path: Path
) -> None:
    trained = train(ranked_rows, config_of("", base_encoder=None, method="head", epochs=1))

    described = json.loads((trained.save(tmp_path) / "config.json").read_text())
    assert described["encoder"]["name"] == "all-MiniLM-L6-v2"
    assert (trained.metrics.baseline["ndcg_at_10"] or 0) > 0.9


def test_an_interrupted_run_ends_like_an_undisturbed_one(
    ranked_rows: list[Row], tiny_folder: Path, tmp_path: Path
) -> None:
    config = config_of(tiny_folder)
    losses: dict[int, float | None] = {}
    undisturbed = train(
        ranked_rows, config, on_progress=lambda told: losses.update({told.step: told.loss})
    )
    again: dict[int, float | None] = {}
    for step in (0, 2, 7):
        stop = StopAfter(step)

        def watch(told: Progress, stop: StopAfter = stop) -> None:
            again[told.step] = told.loss
            stop.watch(told)

        with pytest.raises(TrainingInterrupted):
            train(
                ranked_rows, config,
                run_directory=tmp_path / "run", on_progress=watch, should_stop=stop,
            )  # fmt: skip
    resumed = train(
        ranked_rows, config, run_directory=tmp_path / "run",
        on_progress=lambda told: again.update({told.step: told.loss}),
    )  # fmt: skip

    assert again == pytest.approx(losses, rel=1e-5)
    assert resumed.metrics.validation == pytest.approx(undisturbed.metrics.validation, rel=1e-4)
    expected = scores_of(undisturbed, tmp_path / "a")
    assert scores_of(resumed, tmp_path / "b") == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"method": "full"}, "method"),
        ({"method": "top2"}, "method"),
        ({"adapt": "mlm"}, "adapt"),
        ({"curriculum": "loss"}, "curriculum"),
        ({"few_shot": True}, "few_shot"),
    ],
)
def test_options_that_a_reranker_cannot_take_are_refused(options: Row, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        config_of("anywhere", **options)
    assert caught.value.field == field


def test_a_reranker_for_another_encoder_is_refused(
    ranked_rows: list[Row], tiny_folder: Path, other_folder: Path, tmp_path: Path
) -> None:
    saved = train(ranked_rows, config_of(tiny_folder, epochs=1)).save(tmp_path)
    described = json.loads((saved / "config.json").read_text())
    described["encoder"]["folder"] = str(other_folder)
    (saved / "config.json").write_text(json.dumps(described))

    with pytest.raises(ModelUnavailable, match="was trained on an encoder with SHA-256"):
        train(ranked_rows, config_of(saved))


@pytest.mark.parametrize("content", [b"\x80\x04\x95pickle", b""])
def test_a_pickle_is_not_read_as_weights(
    ranked_rows: list[Row], tiny_folder: Path, tmp_path: Path, content: bytes
) -> None:
    saved = train(ranked_rows, config_of(tiny_folder, epochs=1)).save(tmp_path)
    (saved / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelUnavailable, match="cannot be read"):
        train(ranked_rows, config_of(saved))

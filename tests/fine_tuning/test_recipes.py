"""What may come before the task: unlabelled texts, pairs of a few rows, easy rows first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.fine_tuning.training_runs import PACE, Row, StopAfter, assert_same, config_of, weights_of

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import TextEncoder, run_directly
from jobsentinel_workers.fine_tuning import (
    FineTunedBERT,
    FineTuningConfig,
    JobMatchingDataset,
    Progress,
    TrainingInterrupted,
    train_fine_tuned,
)
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows

TEXTS = [f"{word} opening number {n} in the north" for n in range(12) for word in ("ward", "truck")]


def fit(rows: list[Row], config: FineTuningConfig, **options: Any) -> FineTunedBERT:
    model = train_fine_tuned(config, JobMatchingDataset.from_rows(rows), **options).model
    assert isinstance(model, FineTunedBERT)
    return model


@pytest.mark.parametrize("options", [{"adapt": "mlm"}, {"adapt": "tsdae"}, {"few_shot": True}])
def test_a_recipe_gives_the_model_an_encoder_of_its_own(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path, options: Row
) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.network.state_dict().items()}
    unlabelled = TEXTS if "adapt" in options else []
    told: list[Progress] = []

    model = fit(
        class_rows, config_of(epochs=3, **options),
        encoder=encoder, unlabelled=unlabelled, on_progress=told.append,
    )  # fmt: skip

    changed = model.encoder.network.state_dict()
    assert changed.keys() == before.keys()
    assert not all(torch.equal(changed[name], before[name]) for name in before)
    assert_same(dict(encoder.network.state_dict()), before)
    assert next(each.phase for each in told if each.phase != "embedding") != "training"
    loaded = FineTunedBERT.load(model.save(tmp_path), precision="fp32")
    texts = ["hospital ward", "python api"]
    first, second = run_directly(model, texts), run_directly(loaded, texts)
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".txt"}


@pytest.mark.parametrize(
    "options",
    [
        {"adapt": "mlm", "method": "top2"},
        {"adapt": "tsdae", "method": "head"},
        {"few_shot": True, "method": "head"},
        {"adapt": "mlm", "method": "lora", "curriculum": "loss"},
    ],
)
def test_a_recipe_stopped_anywhere_ends_like_an_undisturbed_one(
    class_rows: list[Row], encoder: TextEncoder, tmp_path: Path, options: Row
) -> None:
    config = config_of(**({"epochs": 2, "batch_size": 16, "learning_rate": 1e-3} | options))
    unlabelled = TEXTS if "adapt" in options else []
    losses, again = Losses(), Losses()
    undisturbed = fit(
        class_rows, config, encoder=encoder, unlabelled=unlabelled, on_progress=losses.note
    )

    phase = "contrasting" if options.get("few_shot") else "adapting"
    for stopped, step in ((phase, 1), (phase, 2), ("training", 0), ("training", 3)):
        stop = StopIn(stopped, step)

        def watch(told: Progress, stop: StopIn = stop) -> None:
            again.note(told)
            stop.watch(told)

        with pytest.raises(TrainingInterrupted):
            fit(
                class_rows, config, encoder=encoder, unlabelled=unlabelled,
                run_directory=tmp_path / "run", on_progress=watch, should_stop=stop,
            )  # fmt: skip
    resumed = fit(
        class_rows, config, encoder=encoder, unlabelled=unlabelled,
        run_directory=tmp_path / "run", on_progress=again.note,
    )  # fmt: skip

    assert again.by_step == pytest.approx(losses.by_step, rel=1e-4)
    assert_same(weights_of(resumed), weights_of(undisturbed))


class Losses:
    """The loss of each step of each phase."""

    def __init__(self) -> None:
        self.by_step: dict[tuple[str, int], float] = {}

    def note(self, told: Progress) -> None:
        if told.loss is not None:
            self.by_step[told.phase, told.step] = told.loss


class StopIn(StopAfter):
    """Says stop at a step of one phase; at step 0, when the phase before it has ended."""

    def __init__(self, phase: str, step: int) -> None:
        super().__init__(step)
        self.phase = phase
        self.over = False

    def watch(self, progress: Progress) -> None:
        last = progress.step == progress.total_steps
        self.over = progress.phase in {"adapting", "contrasting"} and last
        if progress.phase == self.phase:
            self.seen = progress.step

    def __call__(self) -> bool:
        if self.step == 0:
            return self.over or self.phase == "training"
        return self.seen >= self.step


@pytest.mark.parametrize("curriculum", ["length", "loss"])
@pytest.mark.parametrize("task", ["classification", "regression", "similarity"])
def test_a_curriculum_learns_every_row_once_an_epoch(
    request: pytest.FixtureRequest, encoder: TextEncoder, tmp_path: Path, task: str, curriculum: str
) -> None:
    fixture = {"classification": "class_rows", "regression": "value_rows"}.get(task, "pair_rows")
    rows = request.getfixturevalue(fixture)
    config = config_of(task=task, epochs=2, curriculum=curriculum)

    trained = train_fine_tuned(
        config, JobMatchingDataset.from_rows(rows), encoder=encoder, run_directory=tmp_path
    )

    assert trained.metrics.steps == 2 * -(-trained.metrics.train_rows // 32)
    assert (tmp_path / "curriculum.safetensors").is_file()


def test_the_first_epoch_goes_from_easy_to_hard_and_later_ones_are_shuffled() -> None:
    order = OrderOfRows(6, 2, seed=0, difficulties=np.array([5.0, 1.0, 4.0, 0.0, 3.0, 2.0]))

    assert order.batches(0) == [[3, 1], [5, 4], [2, 0]]
    shuffled = OrderOfRows(6, 2, seed=0)
    assert order.batches(1) == shuffled.batches(1) != order.batches(0)
    assert sorted(row for batch in shuffled.batches(0) for row in batch) == list(range(6))


@pytest.mark.parametrize(
    ("options", "texts", "field"),
    [
        ({"adapt": "mlm"}, [], "unlabelled"),
        ({"adapt": "tsdae"}, ["the same"] * 20, "unlabelled"),
        ({"adapt": "mlm"}, [*TEXTS, ""], "unlabelled.24"),
        ({"adapt": "mlm"}, [*TEXTS, 7], "unlabelled.24"),
        ({"adapt": "mlm"}, "one text", "unlabelled"),
        ({}, TEXTS, "unlabelled"),
    ],
)
def test_unlabelled_texts_are_checked_by_name(
    class_rows: list[Row], encoder: TextEncoder, options: Row, texts: Any, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        fit(class_rows, config_of(**options), encoder=encoder, unlabelled=texts)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"few_shot": True, "method": "full"}, "few_shot"),
        ({"few_shot": True, "task": "regression"}, "few_shot"),
        ({"few_shot": 1}, "few_shot"),
        ({"classes": ("a", "b"), "task": "similarity"}, "classes"),
        ({"classes": ("a",)}, "classes"),
        ({"classes": ("a", "a")}, "classes"),
        ({"classes": ["a", "b"]}, "classes"),
        ({"pair_loss": "cosent"}, "pair_loss"),
        ({"pair_loss": "cosent", "task": "similarity", "method": "head"}, "pair_loss"),
        ({"curriculum": "hard"}, "curriculum"),
        ({"adapt": "simcse"}, "adapt"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(options: Row, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        FineTuningConfig(**options)
    assert caught.value.field == field


def test_a_few_shot_classifier_learns(class_rows: list[Row], encoder: TextEncoder) -> None:
    config = config_of(few_shot=True, epochs=20, learning_rate=PACE["head"]["learning_rate"])
    trained = train_fine_tuned(config, JobMatchingDataset.from_rows(class_rows), encoder=encoder)
    assert (trained.metrics.validation["accuracy"] or 0) > 0.8


@pytest.mark.parametrize(
    "options",
    [
        {"adapt": "mlm"},
        {"adapt": "tsdae"},
        {"few_shot": True},
    ],
)
def test_no_training_opens_a_connection(
    class_rows: list[Row],
    encoder: TextEncoder,
    monkeypatch: pytest.MonkeyPatch,
    options: Row,
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda *place: asked.append(place))
    monkeypatch.setattr("socket.getaddrinfo", lambda *place, **_: asked.append(place) or [])

    unlabelled = TEXTS if "adapt" in options else []
    fit(class_rows, config_of(epochs=1, **options), encoder=encoder, unlabelled=unlabelled)

    assert asked == []


def test_the_libraries_trainers_are_imported_when_a_run_needs_them() -> None:
    heavy = ("accelerate", "datasets", "sentence_transformers")
    code = f"import sys, jobsentinel_workers.fine_tuning; print(*set({heavy}) & set(sys.modules))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert printed.stdout.strip() == b""

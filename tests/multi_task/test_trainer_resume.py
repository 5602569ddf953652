"""A run that was stopped, killed or torn ends with the weights of one that was not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_rows import make_rows, own_copy, trained_model

from jobsentinel.contract.errors import ConfigurationError, InvalidInput, ModelCorrupted
from jobsentinel_workers.encoders import TextEncoder
from jobsentinel_workers.multi_task import (
    MultiTaskBERT,
    MultiTaskTrainer,
    TrainingStopped,
    create_job_matching_model,
    job_matching_tasks,
)

METHODS = ["top2", "full", "lora"]


def stop_at(call: int) -> Any:
    """Return a `should_stop` that says so when it is asked for the ``call``-th time, from 0."""
    calls = iter(range(1_000))
    return lambda: next(calls) == call


def assert_same(left: MultiTaskBERT, right: MultiTaskBERT) -> None:
    assert left.state_dict().keys() == right.state_dict().keys()
    for name, weight in left.state_dict().items():
        assert torch.equal(weight, right.state_dict()[name]), name
    assert left.model_id == right.model_id


@pytest.mark.parametrize("call", [0, 1, 5, 7])  # three steps an epoch; top2 asks once before them
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(
    deep_encoder: TextEncoder, tmp_path: Path, method: str, call: int
) -> None:
    whole = trained_model(deep_encoder, method, folder=tmp_path / "whole")

    with pytest.raises(TrainingStopped):
        trained_model(deep_encoder, method, folder=tmp_path / "x", should_stop=stop_at(call))
    resumed = trained_model(deep_encoder, method, folder=tmp_path / "x")

    assert_same(resumed, whole)


def test_learnt_weights_and_gathered_gradients_resume_too(
    deep_encoder: TextEncoder, tmp_path: Path
) -> None:
    options = {"weighting": "uncertainty", "accumulate": 2, "batch_size": 4}
    whole = trained_model(deep_encoder, "top2", folder=tmp_path / "whole", **options)

    stop = stop_at(5)
    with pytest.raises(TrainingStopped):
        trained_model(deep_encoder, "top2", folder=tmp_path / "x", should_stop=stop, **options)
    resumed = trained_model(deep_encoder, "top2", folder=tmp_path / "x", **options)

    assert_same(resumed, whole)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_directory_changes_no_weight(
    deep_encoder: TextEncoder, tmp_path: Path, method: str
) -> None:
    assert_same(
        trained_model(deep_encoder, method),
        trained_model(deep_encoder, method, folder=tmp_path),
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_stop_leaves_the_model_as_it_was(
    deep_encoder: TextEncoder, tmp_path: Path, method: str
) -> None:
    torch.manual_seed(3)
    model = create_job_matching_model(own_copy(deep_encoder), pretrained=False)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    with pytest.raises(TrainingStopped):
        MultiTaskTrainer(
            model,
            method,
            run_directory=tmp_path,
            should_stop=stop_at(3),  # type: ignore[arg-type]  # parametrised
        ).train(make_rows(24))

    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())
    assert model.encoder.model_id == deep_encoder.model_id


def test_a_stop_is_at_its_step(deep_encoder: TextEncoder, tmp_path: Path) -> None:
    with pytest.raises(TrainingStopped, match="at step 4"):
        trained_model(deep_encoder, "full", folder=tmp_path, should_stop=stop_at(4))

    assert (tmp_path / "checkpoints" / "step-00000004").is_dir()


@pytest.fixture
def stopped(deep_encoder: TextEncoder, tmp_path: Path) -> Iterator[Path]:
    """The folder of a top2 run that was stopped in its second epoch."""
    folder = tmp_path / "stopped"
    with pytest.raises(TrainingStopped):
        trained_model(deep_encoder, "top2", folder=folder, should_stop=stop_at(6))
    return folder


def test_a_step_that_was_half_written_is_passed_over(
    deep_encoder: TextEncoder, stopped: Path, tmp_path: Path
) -> None:
    torn = stopped / "checkpoints" / "step-00000099"
    torn.mkdir()
    (torn / "weights.safetensors").write_bytes(b"\x10\x00\x00")
    (stopped / "checkpoints" / ".0123").mkdir()

    resumed = trained_model(deep_encoder, "top2", folder=stopped)

    assert_same(resumed, trained_model(deep_encoder, "top2"))


@pytest.mark.parametrize("file", ["weights.safetensors", "optimiser.safetensors", "state.json"])
def test_a_damaged_step_is_passed_over_for_the_one_before(
    deep_encoder: TextEncoder, stopped: Path, file: str
) -> None:
    newest = max((stopped / "checkpoints").glob("step-*"))
    (newest / file).write_bytes((newest / file).read_bytes()[:-20])

    resumed = trained_model(deep_encoder, "top2", folder=stopped)

    assert_same(resumed, trained_model(deep_encoder, "top2"))


def test_a_run_without_a_sound_step_says_so(deep_encoder: TextEncoder, stopped: Path) -> None:
    for step in (stopped / "checkpoints").glob("step-*"):
        (step / "weights.safetensors").write_bytes(b"")

    with pytest.raises(ModelCorrupted, match="SHA-256"):
        trained_model(deep_encoder, "top2", folder=stopped)


def test_a_damaged_chunk_of_frozen_layers_is_computed_anew(
    deep_encoder: TextEncoder, stopped: Path
) -> None:
    [chunk] = (stopped / "hidden-states").iterdir()
    chunk.write_bytes(chunk.read_bytes()[:1_000])

    resumed = trained_model(deep_encoder, "top2", folder=stopped)

    assert_same(resumed, trained_model(deep_encoder, "top2"))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "lora"},
        {"epochs": 4},
        {"learning_rate": 1e-5},
        {"seed": 1},
        {"accumulate": 2},
        {"weighting": "uncertainty"},
        {"class_weights": "none"},
        {"rows": make_rows(27)},
        {"tasks": [replace(task, hidden=8) for task in job_matching_tasks()]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_checkpoint_of_another_run_is_refused(
    deep_encoder: TextEncoder, stopped: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="belongs to a run with other settings"):
        trained_model(deep_encoder, **{"method": "top2", "folder": stopped, **change})


def test_the_checkpoint_of_another_encoder_is_refused(
    tiny_encoder: TextEncoder, stopped: Path
) -> None:
    with pytest.raises(ConfigurationError, match="encoder"):
        trained_model(tiny_encoder, "top2", folder=stopped)


@pytest.mark.parametrize("method", METHODS)
def test_a_finished_run_answers_again_without_training(
    deep_encoder: TextEncoder, tmp_path: Path, method: str
) -> None:
    first = trained_model(deep_encoder, method, folder=tmp_path)

    again = trained_model(deep_encoder, method, folder=tmp_path, should_stop=stop_at(0))

    assert_same(again, first)


def test_weights_that_are_no_numbers_are_never_kept(
    deep_encoder: TextEncoder, tmp_path: Path
) -> None:
    model = create_job_matching_model(own_copy(deep_encoder), pretrained=False)
    with torch.no_grad():
        for weight in model.heads["salary_prediction"].parameters():
            weight.fill_(1e38)

    with pytest.raises(InvalidInput, match=r"learning_rate: is too high: .* at step 0"):
        MultiTaskTrainer(model, "top2", run_directory=tmp_path).train(make_rows(24))

    for file in tmp_path.rglob("weights.safetensors"):
        assert all(weight.isfinite().all() for weight in load_file(file).values())


RUN = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from training_rows import trained_model
from jobsentinel_workers.encoders import TextEncoder
encoder = TextEncoder.load(sys.argv[1], precision="fp32", max_tokens=64)
tell = lambda progress: print(progress.get("epoch", 0.0), flush=True)
trained_model(encoder, "top2", folder=Path(sys.argv[2]), epochs=400, patience=400, on_progress=tell)
"""


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    deep_encoder: TextEncoder, deep_encoder_path: Path, tmp_path: Path
) -> None:
    arguments = [str(deep_encoder_path), str(tmp_path / "killed"), str(Path(__file__).parent)]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            next(line for line in process.stdout if float(line) >= 2)
        finally:
            process.kill()
    stop = {"epochs": 400, "patience": 400}
    in_time = list((tmp_path / "killed" / "checkpoints").glob("step-*"))

    with pytest.raises(TrainingStopped):
        trained_model(
            deep_encoder, "top2", folder=tmp_path / "killed", should_stop=stop_at(10), **stop
        )
    killed = max((tmp_path / "killed" / "checkpoints").glob("step-*"))
    steps = int(killed.name.removeprefix("step-"))
    with pytest.raises(TrainingStopped):
        trained_model(
            deep_encoder, "top2", folder=tmp_path / "whole", should_stop=stop_at(steps + 1), **stop
        )

    assert in_time
    whole = load_file(tmp_path / "whole" / "checkpoints" / killed.name / "weights.safetensors")
    for name, weight in load_file(killed / "weights.safetensors").items():
        assert torch.equal(weight, whole[name]), name

"""In which order the rows are learnt, and by which run: what a config asks for."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from safetensors.numpy import load_file, save

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import run_directly
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.curriculum import (
    Difficulties,
    OrderOfRows,
    head_losses,
    lengths,
)
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.run import TrainingRun
from jobsentinel_workers.fine_tuning.run_keeper import Hooks
from jobsentinel_workers.fine_tuning.training_data import TrainingData
from jobsentinel_workers.registry.durable_files import replace_file


def choose_order(
    model: FineTunedBERT, data: TrainingData, checkpoints: CheckpointFolder | None
) -> OrderOfRows:
    """Return the order of the training rows; a finished measurement of them is read again."""
    config = model.config
    size = config.schedule.batch_size
    if config.curriculum == "none":
        return OrderOfRows(len(data.train), size, config.seed)
    difficulties = _kept_difficulties(model, data, checkpoints)
    return OrderOfRows(len(data.train), size, config.seed, difficulties)


def _kept_difficulties(
    model: FineTunedBERT, data: TrainingData, checkpoints: CheckpointFolder | None
) -> Difficulties:
    if checkpoints is None:
        return _difficulties(model, data)
    file = checkpoints.root / "curriculum.safetensors"
    if not file.exists():
        # Kept, because a loss that differs in its last digit could swap two rows.
        replace_file(file, save({"difficulties": _difficulties(model, data)}))
    return load_file(file)["difficulties"]


def _difficulties(model: FineTunedBERT, data: TrainingData) -> Difficulties:
    if model.config.curriculum == "length":
        return lengths([example.texts for example in data.train.examples])
    embeddings = run_directly(model.encoder, data.train.texts)
    return np.ascontiguousarray(head_losses(data, embeddings))


class Run(Protocol):
    """What trains a task."""

    def complete(self) -> TrainingMetrics:
        """Train to the end and return what was achieved."""


def choose_run(
    model: FineTunedBERT,
    data: TrainingData,
    order: OrderOfRows,
    *,
    checkpoints: CheckpointFolder | None,
    hooks: Hooks,
) -> Run:
    """Return the run that trains the task: the loop of this package, or a library's trainer."""
    if data.train.positive_pairs or model.config.pair_loss == "cosent":
        from jobsentinel_workers.fine_tuning.library_trainers.pair_run import PairRun

        return PairRun(model, data, order, checkpoints=checkpoints, hooks=hooks)
    return TrainingRun(model, data, order, checkpoints=checkpoints, hooks=hooks)


def check_pair_options(config: FineTuningConfig, data: TrainingData) -> None:
    """Hold the options against the kind of pairs.

    Raises:
        InvalidInput: an option is for the other kind.
    """
    if not data.train.positive_pairs:
        return
    if config.method == "head":
        raise InvalidInput("method", "must be top2, full or lora for pairs without scores")
    if config.pair_loss != "squared":
        raise InvalidInput("pair_loss", "is for pairs with scores")
    if config.curriculum != "none":
        raise InvalidInput("curriculum", "must be none for pairs without scores: batches are mixed")

"""Trains a multi-task model on rows whose labels may be incomplete."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel.contract.errors import ConfigurationError, InvalidInput
from jobsentinel_workers.encoders import Runner, run_directly
from jobsentinel_workers.encoders.precision import DTYPES
from jobsentinel_workers.multi_task.calibration import Calibration
from jobsentinel_workers.multi_task.embedding_files import embed_all
from jobsentinel_workers.multi_task.evaluation import (
    Metrics,
    calibrate,
    calibrate_jointly,
    measure,
)
from jobsentinel_workers.multi_task.examples import (
    MultiTaskExample,
    Targets,
    hold_out,
    take,
    to_targets,
    trainable,
)
from jobsentinel_workers.multi_task.fitting import Schedule, fit_heads, to_tensors
from jobsentinel_workers.multi_task.full_training import FullTraining, embed_rows
from jobsentinel_workers.multi_task.losses import TaskLoss, make_loss
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.predictor import scored_text
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    never_stop,
    report_nothing,
)

Method = Literal["head", "full"]
FloatMatrix = npt.NDArray[np.float64]
LEARNING_RATES: dict[str, float] = {"head": 1e-3, "full": 2e-5}
MIN_VALIDATION_LABELS = 4


class MultiTaskTrainer:
    """Trains the heads (``head``), or encoder and heads (``full``), of a model in place.

    ``head`` embeds every text once through the frozen encoder and then trains for seconds; heads
    that were trained before go on from where they are. ``full`` moves the embeddings, so heads of
    tasks that have no labels here no longer fit and answer nothing until they are trained again.

    Example:
        >>> trainer = MultiTaskTrainer(create_job_matching_model(), method="head", seed=1)
        >>> rows = [MultiTaskExample(text, {"job_category": label}) for text, label in labelled]
        >>> metrics = trainer.train(rows)
    """

    def __init__(
        self,
        model: MultiTaskBERT,
        method: Method = "head",
        *,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float | None = None,
        seed: int = 0,
        patience: int = 5,
        validation_share: float = 0.15,
        run_directory: str | Path | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        runner: Runner = run_directly,
    ) -> None:
        if method not in LEARNING_RATES:
            raise ConfigurationError(f"method {method!r} is unknown; choose head or full")
        self.model = model
        self.method = method
        self.schedule = Schedule(
            epochs, batch_size, learning_rate or LEARNING_RATES[method], seed, patience
        )
        self.validation_share = validation_share
        self.run_directory = None if run_directory is None else Path(run_directory)
        self.on_progress = on_progress or report_nothing
        self.should_stop = should_stop or never_stop
        self.runner = runner

    def train(
        self,
        rows: Sequence[MultiTaskExample],
        validation: Sequence[MultiTaskExample] | None = None,
    ) -> Metrics:
        """Train on ``rows`` and return metrics on the validation rows, by task and name.

        Without ``validation``, a share of the rows is held out by seed.

        Raises:
            InvalidInput: a label does not fit its task, or the rows teach no task.
            TrainingStopped: ``should_stop`` said so.
        """
        torch.manual_seed(self.schedule.seed)
        if not rows:
            raise InvalidInput("rows", "must hold at least one labelled text")
        if validation is None:
            rows, validation = hold_out(rows, self.validation_share, self.schedule.seed)
        everything = to_targets([*rows, *validation], self.model.tasks)
        names = trainable({name: t[: len(rows)] for name, t in everything.items()})
        texts = [scored_text(row.text) for row in (*rows, *validation)]
        run = _Run(self, names, len(rows), take(everything, names), texts)
        best_epochs = run.fit_heads() if self.method == "head" else run.fit_all()
        skipped = {
            f"{name}_skipped_labels": float((~np.isnan(values)).sum())
            for name, values in everything.items()
            if name not in names and not np.isnan(values).all()
        }
        epochs = {f"{name}_epochs": float(epoch) for name, epoch in best_epochs.items()}
        return run.calibrate_and_measure() | epochs | skipped


class _Run:
    """One call of ``train``: its rows, their targets, and which rows judge which task."""

    def __init__(
        self,
        trainer: MultiTaskTrainer,
        names: list[str],
        train_rows: int,
        targets: Targets,
        texts: list[str],
    ) -> None:
        self.trainer = trainer
        self.texts = texts
        self.model = trainer.model
        self.names = names
        self.train_targets = {name: _only(t, 0, train_rows) for name, t in targets.items()}
        self.judge_targets = {name: _judges(t, train_rows) for name, t in targets.items()}
        self.losses: dict[str, TaskLoss] = {
            name: make_loss(self.model.tasks[name], t) for name, t in self.train_targets.items()
        }
        self.embeddings = torch.zeros(0)

    def fit_heads(self) -> dict[str, int]:
        trainer, device = self.trainer, self.model.encoder.device
        found = embed_all(
            self.model.encoder,
            self.texts,
            runner=trainer.runner,
            folder=trainer.run_directory,
            on_progress=trainer.on_progress,
            should_stop=trainer.should_stop,
        )
        self.embeddings = torch.from_numpy(found).to(device)
        learnt, judging = self._labelled(self.train_targets), self._labelled(self.judge_targets)
        return fit_heads(
            {name: self.model.heads[name] for name in self.names},
            self.losses,
            (self.embeddings[learnt], self._tensors(self.train_targets, learnt)),
            (self.embeddings[judging], self._tensors(self.judge_targets, judging)),
            trainer.schedule,
            on_progress=trainer.on_progress,
            should_stop=trainer.should_stop,
        )

    def fit_all(self) -> dict[str, int]:
        encoder = self.model.encoder
        encoded = encoder.prepare(self.texts)
        learnt, judging = self._labelled(self.train_targets), self._labelled(self.judge_targets)
        # Steps of 2e-5 vanish in bf16's three digits: weights are trained in fp32.
        self.model.network.float()
        training = FullTraining(
            self.model, self.losses, self.trainer.schedule, self.trainer.run_directory
        )
        best = training.fit(
            ([encoded[row] for row in learnt], self._tensors(self.train_targets, learnt)),
            ([encoded[row] for row in judging], self._tensors(self.judge_targets, judging)),
            self.trainer.on_progress,
            self.trainer.should_stop,
        )
        self.model.network.to(DTYPES[encoder.precision])
        self._mark_encoder_changed()
        self.embeddings = embed_rows(self.model, encoded)
        return best

    def _mark_encoder_changed(self) -> None:
        digest = hashlib.sha256()
        for tensor in self.model.network.state_dict().values():
            digest.update(tensor.detach().float().cpu().numpy().tobytes())
        self.model.encoder.revision = digest.hexdigest()[:12]
        self.model.encoder_changed = True
        self.model.calibrations.clear()
        self.model.joined_calibrations.clear()
        self.model.pair_scorer.trained = False

    @torch.inference_mode()
    def calibrate_and_measure(self) -> Metrics:
        metrics: Metrics = {}
        for name in self.names:
            task, targets = self.model.tasks[name], self.judge_targets[name]
            known = np.flatnonzero(~np.isnan(targets))
            raw = self.model.heads[name].eval()(self.embeddings[known]).cpu().double().numpy()
            calibration = calibrate(task, self.losses[name], raw, targets[known])
            self.model.calibrations[name] = calibration
            if name in self.model.word_models:
                raw, calibration = self._join(name, raw, targets[known], known)
            found = measure(task, calibration, raw, targets[known])
            metrics |= {f"{name}_{metric}": value for metric, value in found.items()}
        return metrics

    def _join(
        self, name: str, raw: FloatMatrix, targets: FloatMatrix, rows: npt.NDArray[np.intp]
    ) -> tuple[FloatMatrix, Calibration]:
        # How far the words are to be trusted is for the new labels to say.
        words = self.model.word_models[name].logits([self.texts[row] for row in rows])
        joined = calibrate_jointly(self.model.tasks[name], raw, words, targets)
        self.model.joined_calibrations[name] = joined
        return joined.join(raw, words), joined.calibration

    def _labelled(self, targets: Targets) -> npt.NDArray[np.intp]:
        known = ~np.isnan(np.stack(list(targets.values())))
        return np.flatnonzero(known.any(axis=0))

    def _tensors(self, targets: Targets, rows: npt.NDArray[np.intp]) -> dict[str, torch.Tensor]:
        chosen = {name: values[rows] for name, values in targets.items()}
        return to_tensors(chosen, self.model.encoder.device)


def _only(targets: FloatMatrix, start: int, stop: int) -> FloatMatrix:
    kept = np.full_like(targets, np.nan)
    kept[start:stop] = targets[start:stop]
    return kept


def _judges(targets: FloatMatrix, train_rows: int) -> FloatMatrix:
    held_out = _only(targets, train_rows, len(targets))
    known = held_out[~np.isnan(held_out)]
    # Too few to judge by: all rows then do, which is optimistic but better than noise.
    return held_out if len(known) >= MIN_VALIDATION_LABELS else targets

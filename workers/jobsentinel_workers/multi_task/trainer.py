"""Trains a multi-task model on rows whose labels may be incomplete."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Runner, choose_precision, run_directly
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.multi_task.embedding_files import embed_all
from jobsentinel_workers.multi_task.encoder_training import EncoderTraining
from jobsentinel_workers.multi_task.examples import (
    MultiTaskExample,
    Targets,
    skipped_labels,
    take,
    to_targets,
    trainable,
)
from jobsentinel_workers.multi_task.fitting import fit_heads, to_tensors
from jobsentinel_workers.multi_task.judging import set_calibration
from jobsentinel_workers.multi_task.labelled_rows import LabelledRows
from jobsentinel_workers.multi_task.losses import (
    ClassWeights,
    TaskLoss,
    known_rows,
    make_loss,
)
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.predictor import scored_text
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    never_stop,
    report_nothing,
)
from jobsentinel_workers.multi_task.run_identity import run_identity
from jobsentinel_workers.multi_task.schedule import Method, Schedule, check_choice, check_real
from jobsentinel_workers.multi_task.splitting import MIN_VALIDATION_LABELS, hold_out
from jobsentinel_workers.multi_task.trained_encoders import make_trained_encoder, put_encoder
from jobsentinel_workers.multi_task.weighting import WEIGHTINGS, Weighting, make_weighting
from jobsentinel_workers.multi_task.word_fitting import fit_word_model

FloatMatrix = npt.NDArray[np.float64]
Metrics = dict[str, float]
MIN_WORD_LABELS = 100
"""With fewer, words say more about the rows than about the task."""


class MultiTaskTrainer:
    """Trains a model's heads, or its encoder and heads.

    ``head`` embeds every text once through the frozen encoder and then trains for seconds; heads
    that were trained before go on from where they are. ``top2`` trains the encoder's last two
    layers as well, over what the others gave once for each text; ``lora`` adds low-rank changes to
    all layers; ``full`` trains all weights. These three move the embeddings, so heads of tasks
    that have no labels here no longer fit and answer nothing until they are trained again.

    A run that ends early leaves the model as it was. With a run directory, a run of the same rows
    and settings goes on where an earlier one stopped and ends with the same weights.

    Args:
        model: is trained; an encoder that it shares with others is not changed but replaced.
        method: ``head``, ``top2``, ``lora`` or ``full``.
        epochs: at most so many; like all that is None, the method's own default.
        batch_size: rows in memory at once.
        learning_rate: of the encoder, or of the heads for the method ``head``.
        seed: fixes the split, the order of the rows and the dropout.
        patience: epochs without a lower validation loss, the tasks' weighted sum, before the end.
        accumulate: so many batches make one step, as if they were one.
        max_gradient_norm: longer gradients are cut to this length.
        weighting: ``equal`` adds up the tasks' losses, which are on one scale, times the tasks'
            weights; ``uncertainty`` learns weights beside them (not for ``head``, whose tasks
            share nothing).
        class_weights: how rare classes weigh: by the root of their rarity (``sqrt``), by it
            (``balanced``), or like others (``none``).
        precision: of the arithmetic in training: ``fp32``, ``bf16``, or ``auto``, which is bf16
            where the machine has it in hardware. Weights are kept in fp32. The method ``head``
            embeds in the encoder's own precision.
        validation_share: of each task's labels set apart when no validation rows are given.
        run_directory: where checkpoints, embeddings and frozen layers' output are kept.
        on_progress: hears ``fraction`` from 0 to 1, and where they apply ``epoch``, ``epochs``,
            ``step``, ``total_steps``, ``loss`` and ``validation_loss``.
        should_stop: asked before each step.
        runner: embeds texts for the method ``head``.

    Raises:
        ConfigurationError: the method or the precision is unknown.
        InvalidInput: another setting is beyond its limits.

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
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        seed: int = 0,
        patience: int | None = None,
        accumulate: int = 1,
        max_gradient_norm: float = 1.0,
        weighting: Weighting = "equal",
        class_weights: ClassWeights = "sqrt",
        precision: str = "auto",
        validation_share: float = 0.15,
        run_directory: str | Path | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        runner: Runner = run_directly,
    ) -> None:
        self.model = model
        self.method: Method = method
        self.schedule = Schedule.of(
            method,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            patience=patience,
            accumulate=accumulate,
            max_gradient_norm=max_gradient_norm,
        )
        check_choice("weighting", weighting, WEIGHTINGS)
        check_choice("class_weights", class_weights, get_args(ClassWeights))
        check_real("validation_share", validation_share, 0.0, 0.9)
        choose_precision(precision)
        if method == "head" and weighting != "equal":
            raise InvalidInput("weighting", "must be equal for head, whose tasks share nothing")
        self.weighting: Weighting = weighting
        self.class_weights: ClassWeights = class_weights
        self.precision = precision
        self.validation_share = validation_share
        self.run_directory = None if run_directory is None else Path(run_directory)
        self.on_progress = on_progress or report_nothing
        self.should_stop = should_stop or never_stop
        self.runner = runner

    def train(
        self,
        rows: Sequence[MultiTaskExample],
        validation: Sequence[MultiTaskExample] | None = None,
        *,
        groups: Sequence[Hashable] | None = None,
    ) -> Metrics:
        """Train on ``rows`` and return metrics on the validation rows, by task and name.

        Without ``validation``, a share of the rows is held out by seed such that near-duplicates,
        or the rows of one of ``groups``, stay together.

        Raises:
            InvalidInput: a label does not fit its task, the rows teach no task, or a loss is no
                longer finite because the learning rate is too high.
            ConfigurationError: the run directory belongs to a run with other settings or rows, or
                the disk has no room for the frozen layers' output.
            ModelUnavailable: the encoder has no layers that ``top2`` could train by themselves.
            TrainingStopped: ``should_stop`` said so.
        """
        rows, validation = self._arrange(rows, validation, groups)
        learnt, judging = self._targets(rows, "rows"), self._targets(validation, "validation")
        everything = {name: np.concatenate([learnt[name], judging[name]]) for name in learnt}
        names = trainable(learnt)
        texts = [scored_text(row.text) for row in (*rows, *validation)]
        run = _Run(self, names, len(rows), take(everything, names), texts)
        with own_random_state(self.schedule.seed):
            best_epochs = run.fit_heads() if self.method == "head" else run.fit_encoder()
            run.fit_words()
        epochs = {f"{name}_epochs": float(epoch) for name, epoch in best_epochs.items()}
        metrics = run.calibrate_and_measure() | epochs | skipped_labels(everything, names)
        self.on_progress({"fraction": 1.0})
        return metrics

    def _arrange(
        self,
        rows: Sequence[MultiTaskExample],
        validation: Sequence[MultiTaskExample] | None,
        groups: Sequence[Hashable] | None,
    ) -> tuple[Sequence[MultiTaskExample], Sequence[MultiTaskExample]]:
        if not rows:
            raise InvalidInput("rows", "must hold at least one labelled text")
        if validation is not None:
            if groups is not None:
                raise InvalidInput("groups", "are for holding rows out, but validation is given")
            return rows, validation
        # Before rows change places, so that an error names the rows that the caller knows.
        trainable(self._targets(rows, "rows"))
        return hold_out(rows, self.validation_share, self.schedule.seed, groups)

    def _targets(self, rows: Sequence[MultiTaskExample], field: str) -> Targets:
        return to_targets(rows, self.model.tasks, field)


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
            name: make_loss(self.model.tasks[name], t, trainer.class_weights)
            for name, t in self.train_targets.items()
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
        learnt, judging = self._part(self.train_targets), self._part(self.judge_targets)
        return fit_heads(
            {name: self.model.heads[name] for name in self.names},
            self.losses,
            (self.embeddings[learnt.rows], learnt.targets),
            (self.embeddings[judging.rows], judging.targets),
            trainer.schedule,
            on_progress=trainer.on_progress,
            should_stop=trainer.should_stop,
        )

    def fit_encoder(self) -> dict[str, int]:
        trainer, model = self.trainer, self.model
        precision = choose_precision(trainer.precision)
        encoder = make_trained_encoder(
            trainer.method,
            model.encoder,
            model.encoder.prepare(self.texts),
            precision,
            trainer.run_directory,
        )
        heads = {name: copy.deepcopy(model.heads[name]) for name in self.names}
        weights = {name: model.tasks[name].weight for name in self.names}
        training = EncoderTraining(
            encoder,
            heads,
            self.losses,
            weighting=make_weighting(trainer.weighting, weights).to(model.encoder.device),
            schedule=trainer.schedule,
            checkpoints=self._checkpoints(),
        )
        learnt, judging = self._part(self.train_targets), self._part(self.judge_targets)
        best = training.fit(learnt, judging, trainer.on_progress, trainer.should_stop)
        for name, head in heads.items():
            model.heads[name].load_state_dict(head.state_dict())
        put_encoder(model, encoder.finish())
        self._embed(judging.rows)
        return dict.fromkeys(self.names, best)

    def _checkpoints(self) -> CheckpointFolder | None:
        trainer = self.trainer
        if trainer.run_directory is None:
            return None
        settings = {
            "method": trainer.method,
            "weighting": trainer.weighting,
            "class_weights": trainer.class_weights,
            "precision": trainer.precision,
        }
        folder = CheckpointFolder(trainer.run_directory / "checkpoints")
        tasks = [self.model.tasks[name] for name in self.names]
        data = (self.texts, self.train_targets, self.judge_targets)
        folder.claim(run_identity(settings, trainer.schedule, self.model.encoder, tasks, *data))
        return folder

    def _embed(self, rows: npt.NDArray[np.intp]) -> None:
        """Embed the rows that judge, as the model will in service; the others stay NaN."""
        encoder = self.model.encoder
        self.embeddings = torch.full((len(self.texts), encoder.output_dim), float("nan"))
        found = run_directly(encoder, [self.texts[row] for row in rows])
        self.embeddings[rows] = torch.from_numpy(found)
        self.embeddings = self.embeddings.to(encoder.device)

    def fit_words(self) -> None:
        """Fit the word models that tasks ask for and have not; those that are there stay."""
        for name in self.names:
            targets = self.train_targets[name]
            asked = self.model.tasks[name].words != "none" and name not in self.model.word_models
            if asked and known_rows(targets).sum() >= MIN_WORD_LABELS:
                task, seed = self.model.tasks[name], self.trainer.schedule.seed
                self.model.word_models[name] = fit_word_model(task, self.texts, targets, seed)

    @torch.inference_mode()
    def calibrate_and_measure(self) -> Metrics:
        metrics: Metrics = {}
        for name in self.names:
            targets = self.judge_targets[name]
            known = np.flatnonzero(known_rows(targets))
            raw = self.model.heads[name].eval()(self.embeddings[known]).cpu().double().numpy()
            texts = [self.texts[row] for row in known]
            judged = set_calibration(
                self.model, name, self.losses[name], raw=raw, targets=targets[known], texts=texts
            )
            metrics |= {f"{name}_{metric}": value for metric, value in measure(judged).items()}
        return metrics

    def _part(self, targets: Targets) -> LabelledRows:
        """Return the rows that have a label of any task, with their targets."""
        rows = np.flatnonzero(np.any([known_rows(t) for t in targets.values()], axis=0))
        chosen = {name: values[rows] for name, values in targets.items()}
        return LabelledRows(rows, to_tensors(chosen, self.model.encoder.device))


def _only(targets: FloatMatrix, start: int, stop: int) -> FloatMatrix:
    kept = np.full_like(targets, np.nan)
    kept[start:stop] = targets[start:stop]
    return kept


def _judges(targets: FloatMatrix, train_rows: int) -> FloatMatrix:
    held_out = _only(targets, train_rows, len(targets))
    # Too few to judge by: all rows then do, which is optimistic but better than noise.
    return held_out if known_rows(held_out).sum() >= MIN_VALIDATION_LABELS else targets

"""Trains a multi-task model on rows whose labels may be incomplete."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.encoders import Runner, choose_precision, run_directly
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.multi_task.examples import (
    MultiTaskExample,
    Targets,
    skipped_labels,
    take,
    to_targets,
    trainable,
)
from jobsentinel_workers.multi_task.losses import (
    ClassWeights,
)
from jobsentinel_workers.multi_task.model import MultiTaskBERT
from jobsentinel_workers.multi_task.multi_task_run import MultiTaskRun
from jobsentinel_workers.multi_task.predictor import scored_text
from jobsentinel_workers.multi_task.run_control import (
    OnProgress,
    ShouldStop,
    never_stop,
    report_nothing,
)
from jobsentinel_workers.multi_task.schedule import Method, Schedule, check_choice, check_real
from jobsentinel_workers.multi_task.splitting import hold_out
from jobsentinel_workers.multi_task.weighting import WEIGHTINGS, Weighting

FloatMatrix = npt.NDArray[np.float64]
Metrics = dict[str, float]


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
        if method == "head" and model.encoder.pooler.learnt_nothing:
            raise InvalidInput(
                "method", "head trains no queries: to pool by attention take top2, lora or full"
            )
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
        run = MultiTaskRun(self, names, len(rows), take(everything, names), texts)
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

"""One training of a model: its rows, and the steps from them to calibrated answers."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from jobsentinel_workers.encoders import choose_precision, run_directly
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.multi_task.assessment.metrics import measure
from jobsentinel_workers.multi_task.batches import Rows
from jobsentinel_workers.multi_task.embedding_files import embed_all
from jobsentinel_workers.multi_task.encoder_training import EncoderTraining
from jobsentinel_workers.multi_task.examples import Targets
from jobsentinel_workers.multi_task.fitting import fit_heads, to_tensors
from jobsentinel_workers.multi_task.judging import set_calibration
from jobsentinel_workers.multi_task.labelled_rows import LabelledRows
from jobsentinel_workers.multi_task.losses import TaskLoss, known_rows, make_loss
from jobsentinel_workers.multi_task.run_control import stop_if_asked
from jobsentinel_workers.multi_task.run_identity import run_identity
from jobsentinel_workers.multi_task.splitting import MIN_VALIDATION_LABELS
from jobsentinel_workers.multi_task.trained_encoders import make_trained_encoder, put_encoder
from jobsentinel_workers.multi_task.weighting import make_weighting
from jobsentinel_workers.multi_task.word_fitting import fit_word_model
from jobsentinel_workers.multi_task.word_network_fitting import (
    TASKS_WITH_NETWORKS,
    fit_word_networks,
)

if TYPE_CHECKING:
    from jobsentinel_workers.multi_task.trainer import MultiTaskTrainer

FloatMatrix = npt.NDArray[np.float64]
Metrics = dict[str, float]
MIN_WORD_LABELS = 100
"""With fewer, words say more about the rows than about the task."""
MIN_NETWORK_LABELS = 1_000
"""With fewer, networks learn the rows by heart."""


class MultiTaskRun:
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
        put_encoder(model, encoder.finish(), encoder.pooler)
        width = model.encoder.output_dim
        self.embeddings = torch.full((len(self.texts), width), float("nan"))
        self.embeddings = self.embeddings.to(model.encoder.device)
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

    def _embed(self, rows: Rows) -> None:
        """Embed those of ``rows`` that are not yet, as the model will in service."""
        new = rows[self.embeddings[rows, 0].isnan().cpu().numpy()]
        if len(new):
            found = run_directly(self.model.encoder, [self.texts[row] for row in new])
            self.embeddings[new] = torch.from_numpy(found).to(self.embeddings)

    def fit_words(self) -> None:
        """Fit the word models that tasks ask for and have not; those that are there stay."""
        for name in self.names:
            targets = self.train_targets[name]
            asked = self.model.tasks[name].words != "none" and name not in self.model.word_models
            if asked and known_rows(targets).sum() >= MIN_WORD_LABELS:
                task, seed = self.model.tasks[name], self.trainer.schedule.seed
                self.model.word_models[name] = fit_word_model(task, self.texts, targets, seed)
            self._fit_networks(name, np.flatnonzero(known_rows(targets)))

    def _fit_networks(self, name: str, rows: Rows) -> None:
        model, stop = self.model, partial(stop_if_asked, self.trainer.should_stop)
        task = model.tasks[name]
        wanted = task.type in TASKS_WITH_NETWORKS and name in model.word_models
        if not wanted or name in model.word_networks or len(rows) < MIN_NETWORK_LABELS:
            return
        self._embed(rows)
        model.word_networks[name] = fit_word_networks(
            task,
            [self.texts[row] for row in rows],
            self.embeddings[rows].cpu().numpy(),
            self.train_targets[name][rows],
            seed=self.trainer.schedule.seed,
            before_epoch=stop,
        )

    @torch.inference_mode()
    def calibrate_and_measure(self) -> Metrics:
        metrics: Metrics = {}
        for name in self.names:
            targets = self.judge_targets[name]
            known = np.flatnonzero(known_rows(targets))
            embeddings = self.embeddings[known]
            judged = set_calibration(
                self.model,
                name,
                self.losses[name],
                raw=self.model.heads[name].eval()(embeddings).cpu().double().numpy(),
                targets=targets[known],
                texts=[self.texts[row] for row in known],
                embeddings=embeddings.cpu().numpy(),
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

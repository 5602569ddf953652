"""One run in progress: features, learner, counters, and the loop over them."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from jobsentinel_workers.encoders import choose_precision
from jobsentinel_workers.fine_tuning.checkpoints import Checkpoint, CheckpointFolder
from jobsentinel_workers.fine_tuning.evaluation import (
    baseline_metrics,
    validation_loss,
    validation_metrics,
)
from jobsentinel_workers.fine_tuning.features import (
    Features,
    FixedFeatures,
    LiveFeatures,
    embed_all,
)
from jobsentinel_workers.fine_tuning.interruption import TrainingInterrupted
from jobsentinel_workers.fine_tuning.learner import Learner
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.progress import OnProgress, Pace, Progress, ShouldStop
from jobsentinel_workers.fine_tuning.random_state import get_random_state, set_random_state
from jobsentinel_workers.fine_tuning.training_data import TrainingData, shuffled_batches
from jobsentinel_workers.fine_tuning.training_state import TrainingState


class TrainingRun:
    """Takes a model through its epochs, from the beginning or from the last checkpoint."""

    def __init__(
        self,
        model: FineTunedBERT,
        data: TrainingData,
        *,
        checkpoints: CheckpointFolder | None,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> None:
        self.model = model
        self.config = model.config
        self.data = data
        self.checkpoints = checkpoints
        self.state = TrainingState()
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._started = time.monotonic()
        schedule = self.config.schedule
        self._steps_an_epoch = -(-len(data.train) // schedule.batch_size)
        self._total_steps = self._steps_an_epoch * schedule.epochs
        self._best: dict[str, torch.Tensor] = {}

    def complete(self) -> TrainingMetrics:
        """Train to the end and return what was achieved; the model has the best epoch's weights."""
        if self.config.trains_encoder:
            self.model.take_own_encoder()
        self.model.begin(self.data.targets)
        self._train_features, self._validation_features = self._make_features()
        self._learner = Learner(self.model, self.config, self._total_steps)
        self._restore()
        self._pace = Pace(self.state.step)
        while not self._is_over():
            self._run_epoch()
        return self._finish()

    def _make_features(self) -> tuple[Features, Features]:
        data, encoder = self.data, self.model.encoder
        if self.config.trains_encoder:
            train = LiveFeatures(encoder, data.train.texts)
            return train, LiveFeatures(encoder, data.validation.texts)
        texts = [*data.train.texts, *data.validation.texts]
        cache = self.checkpoints.embeddings if self.checkpoints else None
        pace = Pace(0)

        def after_chunk(done: int) -> None:
            eta_s = pace.eta_s(done, len(texts))
            self._on_progress(Progress("embedding", done, len(texts), 0, None, eta_s))
            if done < len(texts) and self._should_stop():
                raise TrainingInterrupted(0, self.checkpoints.root if self.checkpoints else None)

        embeddings = embed_all(encoder, texts, cache, after_chunk)
        cut = len(data.train.texts)
        return FixedFeatures(embeddings[:cut]), FixedFeatures(embeddings[cut:])

    def _restore(self) -> None:
        checkpoint = self.checkpoints.latest() if self.checkpoints else None
        if self.checkpoints is None or checkpoint is None:
            with self._arithmetic():
                self.state.baseline = baseline_metrics(self.data, self._validation_features)
            return
        self.state = TrainingState.from_json(checkpoint.state)
        self._learner.put_weights(checkpoint.weights)
        self._learner.put_optimiser_state(checkpoint.optimiser)
        set_random_state(checkpoint.random)
        if self.state.best_step is not None:
            self._best = self.checkpoints.load_best(self.state.best_step)

    def _is_over(self) -> bool:
        waited = self.state.epoch - self.state.best_epoch
        schedule = self.config.schedule
        self.state.stopped_early = waited >= schedule.patience and bool(self.state.best_epoch)
        return self.state.stopped_early or self.state.epoch >= schedule.epochs

    def _run_epoch(self) -> None:
        state, schedule = self.state, self.config.schedule
        batches = shuffled_batches(
            len(self.data.train), schedule.batch_size, self.config.seed, state.epoch
        )
        done = state.step - state.epoch * self._steps_an_epoch
        self._learner.set_training(True)
        for batch in batches[done:]:
            if self._should_stop():
                raise TrainingInterrupted(state.step, self._save())
            self._take_step(batch)
        self._learner.set_training(False)
        with self._arithmetic():
            loss = validation_loss(self.model, self.data, self._validation_features)
        if state.close_epoch(loss):
            self._best = self._learner.weights_now()

    def _take_step(self, batch: list[int]) -> None:
        targets = self.data.train_targets[batch].to(self.model.encoder.device)
        with self._arithmetic():
            embeddings = self._train_features(self.data.text_rows(batch))
        loss = self._learner.step(self.state.step, embeddings, targets)
        self.state.add_batch(loss, len(batch))
        self._tell(loss)
        if self.state.step % self.config.checkpoint_every_steps == 0:
            self._save()

    def _tell(self, loss: float) -> None:
        step, epoch = self.state.step, self.state.epoch + 1
        eta_s = self._pace.eta_s(step, self._total_steps)
        self._on_progress(Progress("training", step, self._total_steps, epoch, loss, eta_s))

    def _save(self) -> Path | None:
        if self.checkpoints is None:
            return None
        now = time.monotonic()
        self.state.elapsed_s += now - self._started
        self._started = now
        if self.state.best_step is not None:
            # First, because the step that follows names it.
            self.checkpoints.save_best(self.state.best_step, self._best)
        return self.checkpoints.save(
            Checkpoint(
                state=self.state.to_json(),
                weights=self._learner.weights_now(),
                optimiser=self._learner.optimiser_state(),
                random=get_random_state(),
            )
        )

    def _finish(self) -> TrainingMetrics:
        if not self.state.finished:
            self.state.finished = True
            self._save()
        self._learner.put_weights(self._best)
        self._learner.finish()
        if self.config.trains_encoder:
            self.model.note_encoder_change()
        with self._arithmetic():
            achieved = validation_metrics(self.model, self.data, self._validation_features)
        return self._summarise(achieved)

    def _summarise(self, achieved: dict[str, float | None]) -> TrainingMetrics:
        state = self.state
        assert state.best_loss is not None  # the first epoch is the best so far
        return TrainingMetrics(
            task=self.config.task,
            method=self.config.method,
            validation=achieved,
            baseline=state.baseline,
            train_rows=len(self.data.train),
            validation_rows=len(self.data.validation),
            best_epoch=state.best_epoch,
            best_validation_loss=state.best_loss,
            steps=state.step,
            duration_s=state.elapsed_s + time.monotonic() - self._started,
            stopped_early=state.stopped_early,
            history=tuple(state.history),
        )

    def _arithmetic(self) -> AbstractContextManager[object]:
        """Compute the encoder in bf16 where the machine is fast at it; weights stay fp32."""
        enabled = self.config.trains_encoder and choose_precision(self.config.precision) == "bf16"
        device = self.model.encoder.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)

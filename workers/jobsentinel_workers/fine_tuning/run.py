"""One run of the hand-written loop: features, learner, and the epochs over them."""

from __future__ import annotations

from contextlib import AbstractContextManager

from jobsentinel_workers.fine_tuning.arithmetic import training_arithmetic
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows
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
from jobsentinel_workers.fine_tuning.progress import Pace, Progress
from jobsentinel_workers.fine_tuning.run_keeper import Hooks, Plan, RunKeeper
from jobsentinel_workers.fine_tuning.summary import summarise
from jobsentinel_workers.fine_tuning.training_data import TrainingData


class ModelRun:
    """What the runs of a FineTunedBERT share, whoever drives the loop."""

    def __init__(
        self,
        model: FineTunedBERT,
        data: TrainingData,
        order: OrderOfRows,
        *,
        checkpoints: CheckpointFolder | None,
        hooks: Hooks,
    ) -> None:
        self.model = model
        self.config = model.config
        self.data = data
        self._order = order
        self._checkpoints = checkpoints
        self._hooks = hooks

    def _arithmetic(self) -> AbstractContextManager[object]:
        return training_arithmetic(self.config, self.model.encoder.device)


class TrainingRun(ModelRun):
    """Takes a model through its epochs, from the beginning or from the last checkpoint."""

    def complete(self) -> TrainingMetrics:
        """Train to the end and return what was achieved; the model has the best epoch's weights."""
        self._train_features, self._validation_features = self._make_features()
        self._learner = Learner(self.model, self.config)
        plan = plan_of(self.config, self._order.batches_an_epoch)
        self._keeper = RunKeeper(
            self._learner.trained, plan, checkpoints=self._checkpoints, hooks=self._hooks
        )
        if not self._keeper.restore():
            with self._arithmetic():
                baseline = baseline_metrics(self.data, self._validation_features)
            self._keeper.state.baseline = baseline
        while not self._keeper.is_over():
            self._run_epoch()
        return self._finish()

    def _make_features(self) -> tuple[Features, Features]:
        data, encoder = self.data, self.model.encoder
        if self.config.trains_encoder:
            train = LiveFeatures(encoder, data.train.texts)
            return train, LiveFeatures(encoder, data.validation.texts)
        texts = [*data.train.texts, *data.validation.texts]
        cache = self._checkpoints.embeddings if self._checkpoints else None
        pace = Pace(0)

        def after_chunk(done: int) -> None:
            eta_s = pace.eta_s(done, len(texts))
            self._hooks.on_progress(Progress("embedding", done, len(texts), 0, None, eta_s))
            if done < len(texts) and self._hooks.should_stop():
                raise TrainingInterrupted(0, self._checkpoints.root if self._checkpoints else None)

        embeddings = embed_all(encoder, texts, cache, after_chunk)
        cut = len(data.train.texts)
        return FixedFeatures(embeddings[:cut]), FixedFeatures(embeddings[cut:])

    def _run_epoch(self) -> None:
        keeper = self._keeper
        batches = self._order.batches(keeper.state.epoch)
        self._learner.set_training(True)
        for batch in batches[keeper.steps_of_this_epoch :]:
            keeper.before_step()
            self._take_step(batch)
        self._learner.set_training(False)
        with self._arithmetic():
            loss = validation_loss(self.model, self.data, self._validation_features)
        keeper.close_epoch(loss)

    def _take_step(self, batch: list[int]) -> None:
        targets = self.data.train_targets[batch].to(self.model.encoder.device)
        with self._arithmetic():
            embeddings = self._train_features(self.data.text_rows(batch))
        loss = self._learner.loss(embeddings, targets)
        value = float(loss.item())
        self._keeper.check_loss(value)
        self._learner.move(loss)
        self._keeper.after_step(value, len(batch))

    def _finish(self) -> TrainingMetrics:
        self._keeper.finish()
        self._learner.set_training(False)
        self.model.finish_encoder()
        with self._arithmetic():
            achieved = validation_metrics(self.model, self.data, self._validation_features)
        return summarise(self.config, self.data, self._keeper.state, achieved)


def plan_of(config: FineTuningConfig, batches_an_epoch: int) -> Plan:
    """Return how long a run of ``config`` is."""
    schedule = config.schedule
    return Plan(
        epochs=schedule.epochs,
        steps_an_epoch=batches_an_epoch,
        patience=schedule.patience,
        checkpoint_every_steps=config.checkpoint_every_steps,
    )

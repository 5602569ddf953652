"""From the counters of a finished run to what it achieved."""

from __future__ import annotations

from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.training_data import TrainingData
from jobsentinel_workers.fine_tuning.training_state import TrainingState


def summarise(
    config: FineTuningConfig,
    data: TrainingData,
    state: TrainingState,
    achieved: dict[str, float | None],
) -> TrainingMetrics:
    """Return the metrics of a run that is done."""
    assert state.best_loss is not None  # the first epoch is the best so far
    return TrainingMetrics(
        task=config.task,
        method=config.method,
        validation=achieved,
        baseline=state.baseline,
        train_rows=len(data.train),
        validation_rows=len(data.validation),
        best_epoch=state.best_epoch,
        best_validation_loss=state.best_loss,
        steps=state.step,
        duration_s=state.elapsed_s,
        stopped_early=state.stopped_early,
        history=tuple(state.history),
    )

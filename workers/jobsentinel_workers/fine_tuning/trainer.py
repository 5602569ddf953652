"""Fine-tuning from start to end: embed, train with checkpoints, keep the best epoch, measure it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.model import FineTunedBERT
from jobsentinel_workers.fine_tuning.progress import OnProgress, ShouldStop
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.fine_tuning.run import TrainingRun
from jobsentinel_workers.fine_tuning.training_data import TrainingData, arrange


class FineTuningTrainer:
    """Trains a FineTunedBERT.

    With a run directory it writes checkpoints and goes on from the last one; an interrupted run
    that is resumed ends with the weights of one that was not, up to rounding.

    Args:
        run_directory: belongs to one run: one set of rows and settings.
        on_progress: called at every step.
        should_stop: asked before every step; True writes a checkpoint and raises
            TrainingInterrupted.

    Example:
        >>> jobs = ("nurse", "cook")
        >>> rows = [{"text": f"{job} {n}", "label": job} for job in jobs for n in "abcd"]
        >>> config = FineTuningConfig(epochs=5)
        >>> model = FineTunedBERT(config)
        >>> metrics = FineTuningTrainer(model, config).train(JobMatchingDataset.from_rows(rows))
        >>> model.predict_batch(["head cook"])[0]["class"]
        'cook'
    """

    def __init__(
        self,
        model: FineTunedBERT,
        config: FineTuningConfig,
        run_directory: Path | str | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> None:
        if model.config != config:
            raise InvalidInput("config", "must be the one that the model was made with")
        self.model = model
        self.config = config
        self.checkpoints = CheckpointFolder(Path(run_directory)) if run_directory else None
        self._on_progress = on_progress or (lambda progress: None)
        self._should_stop = should_stop or (lambda: False)

    def train(
        self, train: JobMatchingDataset, validation: JobMatchingDataset | None = None
    ) -> TrainingMetrics:
        """Train on ``train``, judge by ``validation``, keep the best epoch.

        Without a validation set, a share of the training rows is set apart.

        Raises:
            InvalidInput: rows that do not fit the task or cannot be split.
            TrainingInterrupted: ``should_stop`` said so; train again to go on.
            ConfigurationError: the run directory belongs to another run.
            ModelCorrupted: no checkpoint in the run directory is sound.
        """
        data = arrange(train, validation, self.config)
        if self.checkpoints is not None:
            self.checkpoints.claim(self._identity(data))
        run = TrainingRun(
            self.model,
            data,
            checkpoints=self.checkpoints,
            on_progress=self._on_progress,
            should_stop=self._should_stop,
        )
        with own_random_state(self.config.seed):
            return run.complete()

    def _identity(self, data: TrainingData) -> dict[str, Any]:
        return {
            "config": self.config.as_dict(),
            "encoder_sha256": self.model.encoder.backbone.sha256,
            "train_sha256": data.train.sha256,
            "validation_sha256": data.validation.sha256,
        }

"""Fine-tuning from start to end: adapt, train with checkpoints, keep and measure the best."""

from __future__ import annotations

from collections.abc import Sequence
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
from jobsentinel_workers.fine_tuning.recipes import (
    check_pair_options,
    choose_order,
    choose_run,
)
from jobsentinel_workers.fine_tuning.run_keeper import Hooks
from jobsentinel_workers.fine_tuning.stages import prepare_encoder
from jobsentinel_workers.fine_tuning.training_data import TrainingData, arrange
from jobsentinel_workers.fine_tuning.unlabelled import Unlabelled


class FineTuningTrainer:
    """Trains a FineTunedBERT.

    With a run directory it writes checkpoints and goes on from the last one; an interrupted run
    that is resumed ends with the weights of one that was not, up to rounding.

    Args:
        run_directory: belongs to one run: one set of rows and settings.
        on_progress: called at every step.
        should_stop: asked before every step; True writes a checkpoint and raises
            TrainingInterrupted.
        unlabelled: texts that the encoder reads first where the config says ``adapt``.

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
        *,
        unlabelled: Sequence[str] = (),
    ) -> None:
        if model.config != config:
            raise InvalidInput("config", "must be the one that the model was made with")
        self.model = model
        self.config = config
        self.checkpoints = CheckpointFolder(Path(run_directory)) if run_directory else None
        self._hooks = Hooks.of(on_progress, should_stop)
        self._unlabelled = Unlabelled.of(unlabelled, config)

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
        check_pair_options(self.config, data)
        if self.checkpoints is not None:
            self.checkpoints.claim(self._identity(data))
        with own_random_state(self.config.seed):
            prepare_encoder(
                self.model, data, self._unlabelled, checkpoints=self.checkpoints, hooks=self._hooks
            )
            order = choose_order(self.model, data, self.checkpoints)
            if self.config.trains_encoder:
                self.model.take_own_encoder()
            self.model.begin(data.targets)
            run = choose_run(
                self.model, data, order, checkpoints=self.checkpoints, hooks=self._hooks
            )
            return run.complete()

    def _identity(self, data: TrainingData) -> dict[str, Any]:
        return {
            "config": self.config.as_dict(),
            "encoder_sha256": self.model.encoder.backbone.sha256,
            "train_sha256": data.train.sha256,
            "validation_sha256": data.validation.sha256,
            "unlabelled_sha256": self._unlabelled.sha256,
        }

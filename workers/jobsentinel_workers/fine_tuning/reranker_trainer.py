"""Fine-tuning a cross-encoder, in the manner of FineTuningTrainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobsentinel.contract.errors import InvalidInput
from jobsentinel_workers.fine_tuning.checkpoints import CheckpointFolder
from jobsentinel_workers.fine_tuning.config import FineTuningConfig
from jobsentinel_workers.fine_tuning.curriculum import OrderOfRows, lengths
from jobsentinel_workers.fine_tuning.dataset import JobMatchingDataset
from jobsentinel_workers.fine_tuning.metrics import TrainingMetrics
from jobsentinel_workers.fine_tuning.progress import OnProgress, ShouldStop
from jobsentinel_workers.fine_tuning.random_state import own_random_state
from jobsentinel_workers.fine_tuning.reranker_parts import load_parts
from jobsentinel_workers.fine_tuning.run_keeper import Hooks
from jobsentinel_workers.fine_tuning.training_data import TrainingData, arrange
from jobsentinel_workers.fine_tuning.unlabelled import Unlabelled


class RerankerTrainer:
    """Trains a cross-encoder from the one in ``config.base_encoder``, or from the starter's.

    Args:
        run_directory, on_progress, should_stop: as of FineTuningTrainer.
        unlabelled: must be empty: nothing reads it.
    """

    def __init__(
        self,
        config: FineTuningConfig,
        run_directory: Path | str | None = None,
        on_progress: OnProgress | None = None,
        should_stop: ShouldStop | None = None,
        *,
        unlabelled: Sequence[str] = (),
    ) -> None:
        if config.task != "reranker":
            raise InvalidInput("task", f"must be reranker, not {config.task}")
        Unlabelled.of(unlabelled, config)
        self.config = config
        self.checkpoints = CheckpointFolder(Path(run_directory)) if run_directory else None
        self._hooks = Hooks.of(on_progress, should_stop)
        with own_random_state(config.seed):
            self.parts = load_parts(config.base_encoder)
        self.base = f"{self.parts.backbone.name}@{self.parts.backbone.sha256[:12]}"

    def train(
        self, train: JobMatchingDataset, validation: JobMatchingDataset | None = None
    ) -> TrainingMetrics:
        """Train on ``train``, judge by ``validation``, keep the best epoch; ``parts`` then has it.

        Raises:
            InvalidInput, TrainingInterrupted, ConfigurationError, ModelCorrupted: as of
                FineTuningTrainer.
        """
        from jobsentinel_workers.fine_tuning.library_trainers.reranker_run import RerankerRun

        data = arrange(train, validation, self.config)
        if self.checkpoints is not None:
            self.checkpoints.claim(self._identity(data))
        run = RerankerRun(
            self.parts,
            self.config,
            data,
            self._order(data),
            checkpoints=self.checkpoints,
            hooks=self._hooks,
        )
        with own_random_state(self.config.seed):
            return run.complete()

    def _order(self, data: TrainingData) -> OrderOfRows:
        config = self.config
        texts = [example.texts for example in data.train.examples]
        difficulties = lengths(texts) if config.curriculum == "length" else None
        return OrderOfRows(len(texts), config.schedule.batch_size, config.seed, difficulties)

    def _identity(self, data: TrainingData) -> dict[str, Any]:
        return {
            "config": self.config.as_dict(),
            "encoder_sha256": self.parts.backbone.sha256,
            "train_sha256": data.train.sha256,
            "validation_sha256": data.validation.sha256,
        }
